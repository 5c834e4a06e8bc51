"""The compile cache: what is put comes back, damage and unwritable folders are survived, the size is bounded."""

import os
import subprocess
import sys
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rammer_ir.errors import CacheError
from rammer_ir.runtime.cache import CompileCache, default_folder

MANY_WRITERS = """
import sys
from pathlib import Path
from rammer_ir.runtime.cache import CompileCache
cache = CompileCache(Path(sys.argv[1]), limit_bytes=40_000)
for number in range(300):
    key = str(number % 40)
    found = cache.get(key)
    assert found is None or found == key.encode() * 1000, key
    cache.put(key, key.encode() * 1000)
"""


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@settings(max_examples=25)
@given(st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=100)), max_size=10))
def test_the_last_put_comes_back(items: list[tuple[str, bytes]]) -> None:
    cache = CompileCache(default_folder() / "property")
    for key, data in items:
        cache.put(key, data)
    for key, data in dict(items).items():
        assert cache.get(key) == data


def test_the_folder_is_the_one_that_the_variable_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAMMER_CACHE_DIR", str(tmp_path))
    assert CompileCache().folder == tmp_path
    monkeypatch.delenv("RAMMER_CACHE_DIR")
    assert CompileCache().folder.name == "rammer-ir"


def test_an_absent_folder_only_misses(tmp_path: Path) -> None:
    assert CompileCache(tmp_path / "absent").get("key") is None
    assert not (tmp_path / "absent").exists()


@given(st.data())
def test_any_damage_is_noticed_and_the_entry_removed(data: st.DataObject) -> None:
    folder = default_folder() / "damaged"
    cache = CompileCache(folder)
    cache.put("key", b"some compiled code")
    (path,) = entries(folder)
    whole = path.read_bytes()
    position = data.draw(st.integers(0, len(whole) - 1))
    damaged = data.draw(
        st.sampled_from([whole[:position], whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :]])
    )
    path.write_bytes(damaged)
    assert cache.get("key") is None
    assert entries(folder) == []


def test_an_entry_under_another_key_is_damage(tmp_path: Path) -> None:
    cache = CompileCache(tmp_path)
    cache.put("a", b"code of a")
    (a,) = entries(tmp_path)
    cache.put("b", b"code of b")
    (b,) = set(entries(tmp_path)) - {a}
    os.replace(a, b)
    assert cache.get("b") is None


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    cache = CompileCache(file / "cache")
    assert cache.get("key") is None
    with pytest.raises(CacheError) as caught:
        cache.put("key", b"data")
    message = str(caught.value)
    assert str(file / "cache") in message
    assert "RAMMER_CACHE_DIR" in message
    assert "\n" not in message


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_source: object, _target: object) -> None:
        raise OSError(28, "No space left on device")

    cache = CompileCache(tmp_path)
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(CacheError, match="No space left on device"):
        cache.put("key", b"data")
    assert entries(tmp_path) == []


def test_the_least_recently_used_entries_go(tmp_path: Path) -> None:
    cache = CompileCache(tmp_path, limit_bytes=11_000)
    for number in range(10):
        cache.put(str(number), bytes(1000))
        for age, path in enumerate(sorted(entries(tmp_path), key=lambda path: path.stat().st_mtime, reverse=True)):
            os.utime(path, (1e9 - age, 1e9 - age))
    assert cache.get("0") is not None
    cache.put("more", bytes(1000))
    kept = {key for key in [*map(str, range(10)), "more"] if cache.get(key) is not None}
    assert {"0", "9", "more"} <= kept
    assert "1" not in kept
    assert sum(path.stat().st_size for path in entries(tmp_path)) <= 11_000


def test_what_interrupted_writers_left_goes(tmp_path: Path) -> None:
    cache = CompileCache(tmp_path, limit_bytes=100)
    cache.put("a", bytes(10))
    left = entries(tmp_path)[0].parent / "left.aside"
    left.write_bytes(bytes(10))
    os.utime(left, (1e9, 1e9))
    cache.put("b", bytes(60))
    assert not left.exists()


def test_several_processes_and_threads_may_use_it(tmp_path: Path) -> None:
    def write(_number: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", MANY_WRITERS, str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    with ThreadPool(4) as pool:
        for done in pool.map(write, range(4)):
            assert done.returncode == 0, done.stderr
    assert all(path.suffix == ".entry" for path in entries(tmp_path))
