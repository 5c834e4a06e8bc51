"""Files are complete or absent."""

import stat
from pathlib import Path

import pytest

from rammer_ir.files import write_bytes_aside, write_text_aside


def test_file_appears_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with write_text_aside(path) as file:
        file.write("é")
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "é"
    assert list(tmp_path.iterdir()) == [path]


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"earlier")

    def fail_halfway() -> None:
        with write_bytes_aside(path) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    with write_bytes_aside(tmp_path / "a") as file:
        file.write(b"")
    (tmp_path / "b").write_bytes(b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"}
    assert len(modes) == 1


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    with write_text_aside(link) as file:
        file.write("text")
    assert link.is_symlink()
    assert target.read_text() == "text"


def test_errors_name_the_file_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "file"
    with pytest.raises(FileNotFoundError) as info, write_text_aside(path):
        pass
    assert info.value.filename == str(path)
    with pytest.raises(IsADirectoryError) as directory, write_text_aside(tmp_path):
        pass
    assert directory.value.filename == str(tmp_path)
