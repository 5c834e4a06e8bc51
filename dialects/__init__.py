"""The dialects, one file each."""

from collections.abc import Callable

from xdsl.ir import Dialect

from rammer_ir.registry import lazy_instance

if __name__ == "dialects":
    raise ImportError("import rammer_ir.dialects instead: a second copy of an op class is another op")

DIALECTS: dict[str, str] = {
    "block": "rammer_ir.dialects.block:BlockForm",
    "cuda": "rammer_ir.dialects.cuda:Cuda",
    "pipeline_parallel": "rammer_ir.dialects.pipeline_parallel:PipelineParallel",
    "rop": "rammer_ir.dialects.rop:Rop",
    "rtask": "rammer_ir.dialects.rtask:Rtask",
    "vdevice": "rammer_ir.dialects.vdevice:Vdevice",
}
"""Name to "module:object"; one line a dialect, sorted by name."""


def get_all_dialects() -> dict[str, Callable[[], Dialect]]:
    """Every dialect's name with a factory that imports it."""
    return {name: lazy_instance(path, Dialect) for name, path in DIALECTS.items()}
