"""`python -m rammer_ir.reference`: writes the pages of docs/reference, or says which are stale."""

import argparse
import sys
from pathlib import Path

from rammer_ir.files import write_text_aside
from rammer_ir.reference.pages import all_pages

FOLDER = Path("docs") / "reference"


def main() -> int:
    """Writes the pages; with `--check`, 1 if one is not what it would write."""
    parser = argparse.ArgumentParser(prog="python -m rammer_ir.reference", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"where the pages are (default {FOLDER})")
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if a page is stale")
    options = parser.parse_args()
    stale = stale_pages(options.folder)
    if options.check:
        for name in stale:
            print(f"{options.folder / name}: error: stale, run python -m rammer_ir.reference", file=sys.stderr)
        return 1 if stale else 0
    pages = all_pages()
    for name in stale:
        if name in pages:
            options.folder.mkdir(parents=True, exist_ok=True)
            with write_text_aside(options.folder / name) as file:
                file.write(pages[name])
        else:
            (options.folder / name).unlink()
    return 0


def stale_pages(folder: Path) -> list[str]:
    """Names of the pages in a folder that are absent, not as they would be written, or of nothing that there is."""
    pages = all_pages()
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    return sorted(name for name in {*pages, *present} if pages.get(name) != present.get(name))


if __name__ == "__main__":
    sys.exit(main())
