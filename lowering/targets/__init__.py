"""The targets: printers of a module as source text."""

from collections.abc import Callable

from xdsl.utils.target import Target

from rammer_ir.registry import lazy_class

TARGETS: dict[str, str] = {
    "cuda": "rammer_ir.lowering.targets.cuda_target:CudaTarget",
    "host": "rammer_ir.lowering.targets.host_target:HostTarget",
}
"""Name to "module:Class"; one line a target, sorted by name."""


def get_all_targets() -> dict[str, Callable[[], type[Target]]]:
    """Every target's name with a factory that imports it."""
    return {name: lazy_class(path, Target) for name, path in TARGETS.items()}
