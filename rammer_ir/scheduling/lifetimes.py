"""When the buffers of a program are in use, in the order of its text."""

from dataclasses import dataclass

from xdsl.ir import Block

from rammer_ir.dialects.vdevice import BarrierOp, ForOp, GroupOp, LaunchOp, RunOp, enclosing_launch, enclosing_veus
from rammer_ir.scheduling.program_form import ProgramForm, RunForm


@dataclass(frozen=True)
class Lifetime:
    """
    The first and the last use of a memory, both included.

    `phases` are parted by launches and by barriers of all vEUs: what is over in an earlier phase is over everywhere.
    `positions` count runs. What a loop uses is in use for the whole loop.
    """

    phases: tuple[int, int]
    positions: tuple[int, int]


def lifetimes(form: ProgramForm) -> dict[int, Lifetime]:
    """The lifetimes of the memories that the program uses; words, whose stamps must stay, live always."""
    walk = _Walk(form)
    walk.block(form.op.body.block)
    found = dict(walk.found)
    for number in found:
        if form.memories[number].words:
            found[number] = Lifetime((0, walk.phase), (0, walk.position))
    return found


class _Walk:
    def __init__(self, form: ProgramForm) -> None:
        self.form = form
        self.phase = 0
        self.position = 0
        self.found: dict[int, Lifetime] = {}
        self._loop: list[RunForm] | None = None

    def block(self, block: Block) -> None:
        for op in block.ops:
            match op:
                case LaunchOp():
                    self._new_phase()
                    self.block(op.body.block)
                    self._new_phase()
                case GroupOp():
                    self.block(op.body.block)
                case ForOp():
                    self._for(op)
                case BarrierOp():
                    launch = enclosing_launch(op)
                    if launch is not None and enclosing_veus(op) == (0, launch.veus):
                        self._new_phase()
                case RunOp():
                    self._run(self.form.runs[op])
                case _:
                    pass

    def _new_phase(self) -> None:
        # A loop may run zero times: the barriers in it part nothing.
        if self._loop is None:
            self.phase += 1

    def _for(self, op: ForOp) -> None:
        begin = self.position
        self._loop = []
        self.block(op.body.block)
        runs, self._loop = self._loop, None
        for run in runs:
            self._use(run, begin, self.position - 1)
        if enclosing_launch(op) is None:
            self.phase += 1

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
                known = self.found.get(number)
                first_phase, first = (self.phase, begin) if known is None else (known.phases[0], known.positions[0])
                self.found[number] = Lifetime((first_phase, self.phase), (first, end))
