"""Arrays, and the ring of weights, as C statements. An array's memory space says how it is read and written."""

from collections.abc import Sequence
from typing import cast

from xdsl.dialects import memref
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import SSAValue

from rammer_ir.dialects import block
from rammer_ir.dialects.block import MemorySpace, memory_space, memref_type
from rammer_ir.lowering.element_types import array_elements, element_bytes
from rammer_ir.lowering.from_block.structure import refuse
from rammer_ir.lowering.scratch import OFFSET_ATTRIBUTE
from rammer_ir.lowering.targets.c_addresses import element_index, place
from rammer_ir.lowering.targets.c_text import bare
from rammer_ir.lowering.targets.c_writer import CWriter


def index_text(printer: CWriter, array: SSAValue, indices: Sequence[SSAValue]) -> str:
    """Which element of an array, as an expression."""
    return element_index(memref_type(array), [printer.value(index) for index in indices])


def print_load(printer: CWriter, op: memref.LoadOp) -> None:
    space = memory_space(op.memref)
    pointer, index = printer.value(op.memref), index_text(printer, op.memref, op.indices)
    match space:
        case MemorySpace.GLOBAL:
            text = f"rammer::load({place(pointer, index)})"
        case MemorySpace.WEIGHTS:
            text = f"rammer::load_weight({place(pointer, index)})"
        case MemorySpace.WORDS:
            text = f"rammer::load_word(task, {place(pointer, index)})"
        case MemorySpace.PINNED | MemorySpace.SHARED | MemorySpace.THREAD:
            text = f"{pointer}[{index}]"
        case None:
            refuse(op, f"{op.memref.type} does not say in which memory it lies")
    if op.res.first_use is None:
        # A word that nobody uses is waited for all the same.
        printer.line(f"{text};")
    else:
        printer.print_definition(op.res, text)


def print_store(printer: CWriter, op: memref.StoreOp) -> None:
    pointer, index = printer.value(op.memref), index_text(printer, op.memref, op.indices)
    value = bare(printer.value(op.value))
    match memory_space(op.memref):
        case MemorySpace.WORDS:
            printer.line(f"rammer::store_word(task, {place(pointer, index)}, {value});")
        case MemorySpace.GLOBAL | MemorySpace.SHARED | MemorySpace.THREAD:
            printer.line(f"{pointer}[{index}] = {value};")
        case _:
            refuse(op, f"{op.memref.type} is not written by kernel bodies")


def print_array(printer: CWriter, op: memref.AllocaOp) -> None:
    kind = printer.element_type(op.memref)
    if memory_space(op.memref) is MemorySpace.THREAD:
        printer.line(f"{kind} {printer.define(op.memref, 'array')}[{array_elements(op.memref.type)}];")
        return
    offset = op.attributes.get(OFFSET_ATTRIBUTE)
    if memory_space(op.memref) is not MemorySpace.SHARED or not isinstance(offset, IntegerAttr):
        refuse(op, "the array has no place in the scratch memory of the task")
    pointer = printer.scratch(kind, cast("IntegerAttr", offset).value.data)
    printer.line(f"{kind}* {printer.define(op.memref, 'array')} = {pointer};")


def print_ring_op(printer: CWriter, op: block.RingPushOp | block.RingWaitOp | block.RingReleaseOp) -> None:
    match op:
        case block.RingPushOp():
            source = place(printer.value(op.weights), index_text(printer, op.weights, [op.address]))
            size = op.elements * element_bytes(memref_type(op.weights).element_type)
            printer.line(f"rammer::ring_push(task, {source}, {size});")
        case block.RingWaitOp():
            kind = printer.element_type(op.chunk)
            name = "" if op.chunk.first_use is None else f"const {kind}* {printer.define(op.chunk, 'chunk')} = "
            printer.line(f"{name}ring.wait<{kind}>();")
        case block.RingReleaseOp():
            printer.line("ring.release();")
