"""Rammer IR: from an ONNX model to one statically scheduled, proved program."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rammer_ir.artefact.loading import load as load
    from rammer_ir.compiler import compile as compile
    from rammer_ir.pass_api import Pass as Pass
    from rammer_ir.pass_api import register_pass as register_pass
    from rammer_ir.program import Program as Program

_EXPORTS = {
    "Pass": "rammer_ir.pass_api",
    "Program": "rammer_ir.program",
    "compile": "rammer_ir.compiler",
    "load": "rammer_ir.artefact.loading",
    "register_pass": "rammer_ir.pass_api",
}
"""Name to module; imported when first used, so that each tool pays only for what it needs."""


def __getattr__(name: str) -> object:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)
