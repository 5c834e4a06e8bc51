"""Loops of known length spelled out, so that their iterations can be scheduled one by one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import IndexType, IntegerAttr, ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects.vdevice import BufferOp, ForOp, ProgramOp, RunOp
from rammer_ir.locations import location_of, set_location
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.boxes import concatenate, overlapping_pairs
from rammer_ir.scheduling.program_form import ProgramForm, constant_value, programs_of, read_program
from rammer_ir.scheduling.schedule import Access
from rammer_ir.scheduling.stages import accesses_of


@dataclass(frozen=True)
class UnrollLoops(Pass):
    """
    Replaces every loop whose length is known by its iterations one after another, unless that makes too much of it.

    Runs take the iteration as a constant. A buffer that every iteration fills anew becomes one for each iteration, so
    that iterations only meet in what they hand on. A loop stays that would become more than `limit` runs.
    """

    name = "unroll-loops"
    limit: int = 8192

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for program in programs_of(op):
            form = read_program(op, program)
            constants: dict[int, SSAValue] = {}
            for loop in [found for found in program.walk() if isinstance(found, ForOp)]:
                length = constant_value(loop.length)
                runs = sum(isinstance(found, RunOp) for found in loop.walk())
                if length is not None and length * runs <= self.limit:
                    _unroll(form, loop, length, constants)


def _unroll(form: ProgramForm, loop: ForOp, length: int, constants: dict[int, SSAValue]) -> None:
    own = list(_buffers_of_an_iteration(form, loop))
    for iteration in range(length):
        values: dict[SSAValue, SSAValue] = {loop.index: _constant(form.op, loop, iteration, constants)}
        if iteration > 0:
            values |= {buffer.result: _copy(buffer) for buffer in own}
        for op in loop.body.block.ops:
            Rewriter.insert_op(op.clone(values), InsertPoint.before(loop))
    loop.detach()
    loop.erase()


def _constant(program: ProgramOp, loop: ForOp, value: int, constants: dict[int, SSAValue]) -> SSAValue:
    if value not in constants:
        constant = ConstantOp(IntegerAttr(value, IndexType()))
        set_location(constant, location_of(loop))
        Rewriter.insert_op(constant, InsertPoint.at_start(program.body.block))
        constants[value] = constant.result
    return constants[value]


def _copy(buffer: BufferOp) -> SSAValue:
    copy = buffer.clone()
    Rewriter.insert_op(copy, InsertPoint.after(buffer))
    return copy.result


def _buffers_of_an_iteration(form: ProgramForm, loop: ForOp) -> Iterator[BufferOp]:
    """The buffers that nothing outside of a loop uses, and that each iteration fills before it reads them."""
    runs = [op for op in loop.walk() if isinstance(op, RunOp)]
    inside: set[Operation] = set(runs)
    for memory in form.memories:
        if memory.buffer is None or memory.words:
            continue
        users = {use.operation for use in memory.buffer.result.uses}
        number = form.numbers[memory.value]
        if users and users <= inside and _is_filled_first(form, runs, number):
            yield memory.buffer


def _is_filled_first(form: ProgramForm, runs: Sequence[RunOp], number: int) -> bool:
    """Whether the runs write all of a memory, each element once, before the first one reads it."""
    writes: list[Access] = []
    for run in runs:
        accesses = [access for access in accesses_of(form, run) if access.memory == number]
        if any(not access.write for access in accesses):
            break
        writes += accesses
    if not writes:
        return False
    boxes = concatenate([access.boxes for access in writes])
    volume = int(np.prod(form.memories[number].memory.shape, dtype=np.int64))
    is_once = all((i == j).all() for i, j in overlapping_pairs(boxes, boxes))
    return is_once and int(boxes.volumes().sum()) == volume
