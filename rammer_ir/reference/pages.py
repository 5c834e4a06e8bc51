"""All pages of the reference."""

from rammer_ir.dialects import get_all_dialects
from rammer_ir.reference.dialects import dialect_page
from rammer_ir.reference.markdown import page, table
from rammer_ir.reference.passes import passes_page

TITLES = {
    "rop": "what is computed",
    "rtask": "how it may be cut",
    "block": "how one rTask is computed by the threads of a vEU",
    "vdevice": "when and where every rTask runs",
    "cuda": "what only a GPU has",
}
"""The dialects in the order of the way down, and the question of each level."""


def all_pages() -> dict[str, str]:
    """The pages in Markdown, by the names of their files."""
    dialects = get_all_dialects()
    order = sorted(dialects, key=lambda name: (list(TITLES).index(name) if name in TITLES else len(TITLES), name))
    pages = {f"{name}.md": dialect_page(dialects[name]()) for name in order}
    pages["passes.md"] = passes_page()
    rows = [(f"[`{name}`]({name}.md)", TITLES.get(name, "")) for name in order]
    rows.append(("[passes](passes.md)", "pipelines, passes, lowerings and targets, with their options"))
    pages["README.md"] = page("Reference", [table(("page", "what"), rows)])
    return pages
