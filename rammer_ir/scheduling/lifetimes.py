"""When the memories of a program are in use, in the order of its launches and inside them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Block

from rammer_ir.dialects.vdevice import BarrierOp, ForOp, GroupOp, LaunchOp, RunOp, enclosing_launch, enclosing_veus
from rammer_ir.runtime.program_image import ALIGNMENT
from rammer_ir.scheduling.boxes import Integers
from rammer_ir.scheduling.dependencies import Predecessors, happens_before, levels, uses_in_order
from rammer_ir.scheduling.memory_plan import aligned_sizes, most_alive
from rammer_ir.scheduling.program_form import ProgramForm, RunForm
from rammer_ir.scheduling.stages import Stage, stage_order, stages_of

Times = tuple[Integers, Integers]
"""The first and the last time of a stage at which a memory is in use, both included, of shape [memories, stages]."""


@dataclass(frozen=True)
class Lifetimes:
    """
    The memories that a program uses, by number in ascending order, and which stages use which: [memories, stages].

    Inside a stage, `phases` are parted by barriers of all vEUs: what is over in an earlier phase is over everywhere.
    `positions` count runs. What a loop uses is in use for the whole loop. Words, whose stamps must stay, live always.
    """

    memories: tuple[int, ...]
    used: NDArray[np.bool_]
    phases: Times
    positions: Times
    order: Predecessors

    def of_buffers(self, form: ProgramForm) -> "Lifetimes":
        """Those of the program's buffers alone."""
        rows = [row for row, number in enumerate(self.memories) if form.memories[number].buffer is not None]
        return Lifetimes(
            tuple(self.memories[row] for row in rows),
            self.used[rows],
            (self.phases[0][rows], self.phases[1][rows]),
            (self.positions[0][rows], self.positions[1][rows]),
            self.order,
        )

    def parted_by_synchronisation(self, barriers: int = 1) -> NDArray[np.bool_]:
        """
        Which memories are over everywhere before which are used first; entry [a, b] of shape [n, n].

        Inside a launch, at least as many `barriers` are between the last use of one and the first of the other.
        """
        first, last = self.phases
        return uses_in_order(happens_before(self.order), self.used, first, last + (barriers - 1))

    def parted_by_text(self) -> NDArray[np.bool_]:
        """The same with the text order of the runs of a launch, which a proof of the launch makes as good."""
        return uses_in_order(happens_before(self.order), self.used, *self.positions)

    def live_bytes(self, sizes: Integers) -> int:
        """
        The most bytes in use at one time, given the memories' sizes: no plan needs less.

        Two orders that the program allows are looked at: that of its text, and every launch as early as it may start.
        """
        if not self.memories:
            return 0
        return max(self._live_bytes(sizes, when) for when in (range(len(self.order)), levels(self.order)))

    def _live_bytes(self, sizes: Integers, when: Sequence[int]) -> int:
        first, last = self.phases
        lengths = np.where(self.used, last + 1, 0).max(axis=0)
        longest = np.zeros(len(when), np.int64)
        np.maximum.at(longest, list(when), lengths)
        begin = (np.cumsum(longest) - longest)[list(when)]
        never = np.iinfo(np.int64).max
        return most_alive(
            sizes,
            np.where(self.used, begin + first, never).min(axis=1),
            np.where(self.used, begin + last, -1).max(axis=1),
        )


def lifetimes(form: ProgramForm) -> Lifetimes:
    """When the memories of a program are in use; raises VerificationError where its launches have no order."""
    stages = stages_of(form.op)
    spans = [_Walk(form).stage(stage) for stage in stages]
    memories = sorted({number for found in spans for number in found})
    rows = {number: row for row, number in enumerate(memories)}
    times = np.zeros((4, len(memories), len(stages)), np.int64)
    used = np.zeros(times.shape[1:], np.bool_)
    for column, found in enumerate(spans):
        for number, span in found.items():
            used[rows[number], column] = True
            times[:, rows[number], column] = span
    words = [rows[number] for number in memories if form.memories[number].words]
    used[words] = True
    times[::2, words] = 0
    times[1::2, words] = times[1::2].max(axis=1)[:, None]
    phases, positions = (times[0], times[1]), (times[2], times[3])
    return Lifetimes(tuple(memories), used, phases, positions, stage_order(stages))


def live_bytes(form: ProgramForm) -> int:
    """The most bytes of a program's buffers, aligned as in its arena, in use at one time: no arena can be smaller."""
    lives = lifetimes(form).of_buffers(form)
    sizes = np.array([form.memories[number].memory.bytes for number in lives.memories], np.int64)
    return lives.live_bytes(aligned_sizes(sizes, ALIGNMENT))


class _Walk:
    """The walk over one stage; `found` maps memories to their first and last phase, first and last position."""

    def __init__(self, form: ProgramForm) -> None:
        self.form = form
        self.phase = 0
        self.position = 0
        self.found: dict[int, tuple[int, int, int, int]] = {}
        self._loop: list[RunForm] | None = None

    def stage(self, stage: Stage) -> dict[int, tuple[int, int, int, int]]:
        if isinstance(stage, ForOp):
            self._for(stage)
        else:
            self._block(stage.body.block)
        return self.found

    def _block(self, block: Block) -> None:
        for op in block.ops:
            match op:
                case LaunchOp() | GroupOp():
                    self._block(op.body.block)
                case ForOp():
                    self._for(op)
                case BarrierOp():
                    launch = enclosing_launch(op)
                    # A loop may run zero times: the barriers in it part nothing.
                    if launch is not None and self._loop is None and enclosing_veus(op) == (0, launch.veus):
                        self.phase += 1
                case RunOp():
                    self._run(self.form.runs[op])
                case _:
                    pass

    def _for(self, op: ForOp) -> None:
        begin = self.position
        self._loop = []
        self._block(op.body.block)
        runs, self._loop = self._loop, None
        for run in runs:
            self._use(run, begin, self.position - 1)

    def _run(self, run: RunForm) -> None:
        if self._loop is not None:
            self._loop.append(run)
        else:
            self._use(run, self.position, self.position)
        self.position += 1

    def _use(self, run: RunForm, begin: int, end: int) -> None:
        for value, _, _ in run.operands:
            number = self.form.numbers.get(value)
            if number is not None:
                phase, _, first, _ = self.found.get(number, (self.phase, self.phase, begin, end))
                self.found[number] = phase, self.phase, first, end
