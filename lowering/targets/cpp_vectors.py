"""Vectors of bodies written for one thread, as C++ statements."""

from typing import Final

from xdsl.dialects import vector

from rammer_ir.dialects.block import MemorySpace, memory_space
from rammer_ir.lowering.from_block.structure import refuse
from rammer_ir.lowering.targets.c_addresses import place
from rammer_ir.lowering.targets.c_memory import index_text
from rammer_ir.lowering.targets.c_text import bare
from rammer_ir.lowering.targets.c_writer import CWriter

VectorOp = vector.LoadOp | vector.StoreOp | vector.BroadcastOp | vector.FMAOp

VECTOR_OPS: Final = (vector.LoadOp, vector.StoreOp, vector.BroadcastOp, vector.FMAOp)
"""The ops on vectors that are printed."""


def print_vector_op(printer: CWriter, op: VectorOp) -> None:
    """Print an op on vectors; a multiplication and its addition are one instruction where the CPU has it."""
    match op:
        case vector.LoadOp():
            size = op.result.type.get_shape()[0]
            printer.print_definition(op.result, f"rammer::load_vector<{size}>({_address(printer, op)})")
        case vector.StoreOp():
            printer.line(f"rammer::store_vector({_address(printer, op)}, {bare(printer.value(op.vector))});")
        case vector.BroadcastOp():
            size = op.vector.type.get_shape()[0]
            printer.print_definition(op.vector, f"rammer::broadcast<{size}>({bare(printer.value(op.source))})")
        case vector.FMAOp():
            factors = f"{printer.value(op.lhs)} * {printer.value(op.rhs)}"
            printer.print_definition(op.res, f"({factors} + {printer.value(op.acc)})")


def _address(printer: CWriter, op: vector.LoadOp | vector.StoreOp) -> str:
    if memory_space(op.base) in (None, MemorySpace.WORDS):
        refuse(op, f"{op.base.type} is no memory of which vectors are loaded or stored")
    return place(printer.value(op.base), index_text(printer, op.base, op.indices))
