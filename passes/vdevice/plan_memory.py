"""Where every buffer lies in the arena."""

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.errors import PassError
from rammer_ir.pass_api import Pass
from rammer_ir.runtime.program_image import ALIGNMENT
from rammer_ir.scheduling.lifetimes import lifetimes
from rammer_ir.scheduling.memory_plan import find_overlap, plan_offsets
from rammer_ir.scheduling.program_form import ProgramForm, programs_of, read_program


@dataclass(frozen=True)
class PlanMemory(Pass):
    """
    Gives every buffer its offset, and every program the size of its arena.

    Buffers share memory if a launch, or a barrier of all vEUs, stands between the last use of one and the first of the
    other. What a loop uses lives for the whole loop; words live always. Buffers that nothing uses are removed.
    """

    name = "plan-memory"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for program in programs_of(op):
            _plan(read_program(op, program))


def _plan(form: ProgramForm) -> None:
    lives = lifetimes(form)
    buffers = [(number, memory.buffer) for number, memory in enumerate(form.memories) if memory.buffer is not None]
    used = [(number, buffer) for number, buffer in buffers if number in lives]
    for number, buffer in buffers:
        if number not in lives:
            buffer.detach()
            buffer.erase()
    sizes = np.array([form.memories[number].memory.bytes for number, _ in used], np.int64)
    first = np.array([lives[number].phases[0] for number, _ in used], np.int64)
    last = np.array([lives[number].phases[1] for number, _ in used], np.int64)
    offsets = plan_offsets(sizes, first, last, ALIGNMENT)
    overlap = find_overlap(offsets, sizes, first, last)
    if overlap is not None:
        one, other = (form.memories[used[k][0]].name for k in overlap)
        raise PassError(f"the plan has {one} and {other} share bytes while both are in use")
    for (_, buffer), offset in zip(used, offsets.tolist(), strict=True):
        buffer.offset = offset
    end = int((offsets + sizes).max(initial=0))
    form.op.arena_bytes = -(-end // ALIGNMENT) * ALIGNMENT
