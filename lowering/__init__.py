"""The lowerings, one step down a file. A lowering goes down one level mechanically and decides nothing."""

from collections.abc import Callable

from xdsl.passes import ModulePass

from rammer_ir.registry import lazy_class

if __name__ == "lowering":
    raise ImportError("import rammer_ir.lowering instead: a second copy of an op class is another op")

LOWERINGS: dict[str, str] = {
    "convert-rop-to-rtask": "rammer_ir.lowering.convert_rop_to_rtask:ConvertRopToRtask",
}
"""Name to "module:Class"; one line a lowering, sorted by module."""


def get_all_lowerings() -> dict[str, Callable[[], type[ModulePass]]]:
    """Every lowering's name with a factory that imports it."""
    return {name: lazy_class(path, ModulePass) for name, path in LOWERINGS.items()}
