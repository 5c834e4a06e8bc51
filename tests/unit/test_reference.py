"""The pages of docs/reference are what the code says, and their links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rammer_ir.dialects import DIALECTS, get_all_dialects
from rammer_ir.lowering import LOWERINGS
from rammer_ir.lowering.targets import TARGETS
from rammer_ir.passes import PASSES
from rammer_ir.pipelines import PIPELINES
from rammer_ir.reference.__main__ import stale_pages
from rammer_ir.reference.pages import all_pages

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference"
PAGES = all_pages()


def test_the_pages_are_not_stale() -> None:
    assert stale_pages(FOLDER) == [], "run `make docs` and commit docs/reference"


def test_a_changed_an_absent_and_a_left_over_page_are_stale(tmp_path: Path) -> None:
    def check() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rammer_ir.reference", "--folder", str(tmp_path)]
        return subprocess.run([*command, "--check"], cwd=ROOT, capture_output=True, text=True)

    for name, text in PAGES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert check().returncode == 0
    (tmp_path / "rop.md").write_text(f"{PAGES['rop.md']} ", encoding="utf-8")
    (tmp_path / "rtask.md").unlink()
    (tmp_path / "dpu.md").write_text("", encoding="utf-8")
    assert stale_pages(tmp_path) == ["dpu.md", "rop.md", "rtask.md"]
    result = check()
    assert result.returncode == 1
    assert result.stderr.count("stale, run python -m rammer_ir.reference") == 3


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_there_with_all_that_it_has(name: str) -> None:
    dialect = get_all_dialects()[name]()
    page = PAGES[f"{name}.md"]
    for op in dialect.operations:
        assert f"\n## `{op.name}`\n" in page
    for attribute in dialect.attributes:
        assert re.search(rf"\n## `[#!]{re.escape(attribute.name)}`\n", page)
    assert f"]({name}.md)" in PAGES["README.md"]


def test_every_pass_pipeline_and_target_is_there() -> None:
    page = PAGES["passes.md"]
    for name in (*PASSES, *LOWERINGS, *TARGETS):
        assert f"\n### `{name}`\n" in page
    for name in PIPELINES:
        assert f"| `{name}` |" in page


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    headings = re.findall(r"^#+ (.*)$", PAGES[name], re.MULTILINE)
    anchors: list[str] = []
    for heading in headings:
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        anchors.append(f"{anchor}-1" if anchor in anchors else anchor)
    for link in re.findall(r"\]\(([^)]+)\)", PAGES[name]):
        if link.startswith("#"):
            assert link[1:] in anchors
        else:
            assert link in PAGES or (FOLDER / link).is_file(), link
