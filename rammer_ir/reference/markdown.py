"""Pages and tables in Markdown."""

from collections.abc import Iterable, Sequence

NOTE = "Made from the code by `python -m rammer_ir.reference`: change the docstrings, not this page."


def page(title: str, parts: Iterable[str]) -> str:
    """A page; empty parts are left out."""
    return "\n\n".join([f"# {title}", NOTE, *(part for part in parts if part)]) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, or nothing if it has no rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
