"""Reference semantics of a module of any level: a function of `rop` and `rtask` ops, or a `vdevice` program."""

from collections.abc import Mapping

from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.symbol_table import SymbolTable

from rammer_ir.dialects import vdevice
from rammer_ir.interpreters import rtask as rtask_level
from rammer_ir.interpreters import vdevice as vdevice_level
from rammer_ir.interpreters.bindings import Inputs
from rammer_ir.interpreters.element_types import Array


def run_module(module: ModuleOp, inputs: Inputs, weights: Mapping[str, Array], entry: str = "main") -> list[Array]:
    """
    The results of the function or program `entry`; of alternatives, the first candidates are run.

    Inputs go by name or position, weights by symbol. Raises InvalidInputError and RammerError as each level's
    `run_module` does.
    """
    if isinstance(SymbolTable(module).lookup(entry), vdevice.ProgramOp):
        return vdevice_level.run_module(module, inputs, weights, entry)
    return rtask_level.run_module(module, inputs, weights, entry)
