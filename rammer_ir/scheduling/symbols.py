"""Symbols of a module that nothing uses."""

from collections.abc import Iterator

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, SymbolRefAttr
from xdsl.ir import Attribute, Operation, ParametrizedAttribute

from rammer_ir.dialects.block import BodyOp
from rammer_ir.dialects.rop import WeightOp
from rammer_ir.dialects.rtask import KernelOp

REMOVABLE = (KernelOp, BodyOp, WeightOp)
"""Symbols that serve others only."""


def erase_unused_symbols(module: ModuleOp) -> None:
    """Removes kernels, bodies and weights that are not used by what stays, directly or through each other."""
    symbols: dict[str, Operation] = {}
    kept: list[Operation] = []
    for op in module.ops:
        if isinstance(op, REMOVABLE):
            symbols[op.sym_name.data] = op
        else:
            kept.append(op)
    while kept:
        for name in _names_used(kept.pop()):
            if name in symbols:
                kept.append(symbols.pop(name))
    for op in symbols.values():
        op.detach()
        op.erase()


def _names_used(op: Operation) -> Iterator[str]:
    for nested in op.walk():
        for attribute in (*nested.properties.values(), *nested.attributes.values()):
            yield from _names_in(attribute)


def _names_in(attribute: Attribute) -> Iterator[str]:
    match attribute:
        case SymbolRefAttr():
            yield attribute.string_value()
        case ParametrizedAttribute():
            for part in attribute.parameters:
                yield from _names_in(part)
        case ArrayAttr():
            for part in attribute:
                yield from _names_in(part)
        case DictionaryAttr():
            for part in attribute.data.values():
                yield from _names_in(part)
        case _:
            pass
