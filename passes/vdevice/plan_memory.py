"""Where every buffer lies in the arena."""

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.dialects.vdevice import BufferOp, ProgramOp
from rammer_ir.errors import PassError
from rammer_ir.pass_api import Pass
from rammer_ir.runtime.program_image import ALIGNMENT
from rammer_ir.scheduling.lifetimes import lifetimes, live_bytes
from rammer_ir.scheduling.memory_plan import aligned_sizes, find_overlap, plan_offsets
from rammer_ir.scheduling.program_form import ProgramForm, programs_of, read_program


@dataclass(frozen=True)
class PlanMemory(Pass):
    """
    Gives every buffer its offset, and every program the size of its arena.

    Buffers share memory if all uses of one are over before the first of the other: if launches that must come one after
    another, or barriers of all vEUs, part them. Launches that nothing orders part nothing. What a loop uses lives for
    the whole loop; words live always. Buffers that nothing uses are removed.

    `barriers` is how many must part two uses in a launch. Where barriers are to give way to waits for single tasks
    (`relax-barriers`), few of those waits are then for bytes that are used again.
    """

    name = "plan-memory"
    barriers: int = 1

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for program in programs_of(op):
            _erase_unused(program)
            _plan(read_program(op, program), self.barriers)


def _erase_unused(program: ProgramOp) -> None:
    for buffer in [op for op in program.body.block.ops if isinstance(op, BufferOp) and not op.result.uses]:
        buffer.detach()
        buffer.erase()


def _plan(form: ProgramForm, barriers: int) -> None:
    lives = lifetimes(form).of_buffers(form)
    buffers = [form.memories[number] for number in lives.memories]
    sizes = np.array([memory.memory.bytes for memory in buffers], np.int64)
    parted = lives.parted_by_synchronisation(barriers)
    meets = ~(parted | parted.T)
    offsets = plan_offsets(sizes, meets, ALIGNMENT, live_bytes(form))
    overlap = find_overlap(offsets, sizes, meets)
    if overlap is not None:
        one, other = (buffers[k].name for k in overlap)
        raise PassError(f"the plan has {one} and {other} share bytes while both are in use")
    for memory, offset in zip(buffers, offsets.tolist(), strict=True):
        assert memory.buffer is not None
        memory.buffer.offset = offset
    form.op.arena_bytes = int(aligned_sizes(offsets + sizes, ALIGNMENT).max(initial=0))
