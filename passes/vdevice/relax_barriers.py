"""The synchronisation of the events strategy: tasks wait for the tasks that they conflict with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from xdsl.context import Context
from xdsl.dialects.builtin import AffineMapAttr, ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.vdevice import BarrierOp, EventMap, EventOp, ForOp, GroupOp, LaunchOp, RunOp
from rammer_ir.errors import PassError
from rammer_ir.locations import builder_at, describe_op, location_of
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.boxes import Integers
from rammer_ir.scheduling.maps import wait_table
from rammer_ir.scheduling.program_form import ProgramForm, launches_of, programs_of, read_program
from rammer_ir.scheduling.relaxation import EventPlan, GridRun, plan_events
from rammer_ir.scheduling.run_counters import RunCounters
from rammer_ir.scheduling.schedule import Barrier, TaskRun
from rammer_ir.scheduling.stages import accesses_of


@dataclass(frozen=True)
class RelaxBarriers(Pass):
    """
    Takes out the barriers between runs, and has tasks wait for just the tasks that their boxes conflict with.

    A run that others wait for signals an event with a counter for each part of its grid that a reader needs by itself.
    A task waits for a range of counters, unless what it needs follows from its other waits or from the order of its
    vEU. Memory must be planned: tasks that use the same bytes for different buffers conflict like any others. Barriers
    in loops stay, and so do those next to loops: of the barriers between two loops, the first and the last.
    """

    name = "relax-barriers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for program in programs_of(op):
            form = read_program(op, program)
            if any(memory.buffer is not None and memory.buffer.offset is None for memory in form.memories):
                raise PassError("buffers have no offsets: run plan-memory", location=describe_op(program))
            for launch in launches_of(program):
                for part in _parts(launch):
                    _relax(form, launch, part)


def _parts(launch: LaunchOp) -> Iterator[list[RunOp | BarrierOp]]:
    """The runs, and barriers that stay, before, between and after the loops of a launch; other barriers are erased."""
    for op in launch.walk():
        if isinstance(op, GroupOp):
            raise PassError("relax-barriers takes launches without groups", location=describe_op(op))
    ops = list(launch.body.block.ops)
    loops = [place for place, op in enumerate(ops) if isinstance(op, ForOp)]
    for is_loop, group in groupby(enumerate(ops), key=lambda pair: isinstance(pair[1], ForOp)):
        places = list(group)
        if is_loop:
            continue
        part = [op for _, op in places if isinstance(op, RunOp | BarrierOp)]
        barriers = [op for op in part if isinstance(op, BarrierOp)]
        stay: set[Operation] = set()
        if any(loop < places[0][0] for loop in loops):
            stay.update(barriers[:1])
        if any(loop > places[0][0] for loop in loops):
            stay.update(barriers[-1:])
        for barrier in barriers:
            if barrier not in stay:
                barrier.detach()
                barrier.erase()
        yield [op for op in part if isinstance(op, RunOp) or op in stay]


def _relax(form: ProgramForm, launch: LaunchOp, part: Sequence[RunOp | BarrierOp]) -> None:
    steps = [_step(form, op) if isinstance(op, RunOp) else Barrier(0, launch.veus) for op in part]
    memories = [memory.memory for memory in form.memories]
    runs = [op for op in part if isinstance(op, RunOp)]
    _insert(form, launch, runs, plan_events(steps, launch.veus, memories))


def _step(form: ProgramForm, run: RunOp) -> GridRun:
    """A run without its words, for which tasks wait anyway."""
    accesses = [access for access in accesses_of(form, run) if not form.memories[access.memory].words]
    read = form.runs[run]
    return GridRun(TaskRun(read.veus, tuple(accesses)), read.points)


def _insert(form: ProgramForm, launch: LaunchOp, runs: Sequence[RunOp], plan: EventPlan) -> None:
    counted = [(number, counters.count, False) for number, counters in plan.counters.items()]
    counted += [(number, 1, True) for number in plan.totals]
    events: dict[tuple[int, bool], SSAValue] = {}
    for number, count, whole in sorted(counted, reverse=True):
        run = runs[number]
        event = builder_at(InsertPoint.at_start(launch.body.block), location_of(run)).insert(EventOp(count))
        event.result.name_hint = f"{run.kernel.string_value()}_{'all_' if whole else ''}done"
        events[number, whole] = event.result
    for number, (run, waits) in enumerate(zip(runs, plan.waits, strict=True)):
        rank = form.runs[run].points.shape[1]
        waited = [(events[wait.producer, wait.whole], _wait_map(wait.rows, rank)) for wait in waits]
        signalled: list[tuple[SSAValue, AffineMapAttr]] = []
        if number in plan.counters:
            signalled.append((events[number, False], _signal_map(plan.counters[number], rank)))
        if number in plan.totals:
            signalled.append((events[number, True], AffineMapAttr(AffineMap(rank, 0, (AffineExpr.constant(0),)))))
        if waited or signalled:
            _replace(run, waited, signalled)


def _wait_map(rows: Integers, rank: int) -> EventMap:
    """The waits of a run's tasks: a constant if they are all the same."""
    if (rows == rows[0]).all():
        return AffineMapAttr(AffineMap(rank, 0, tuple(AffineExpr.constant(part) for part in rows[0].tolist())))
    return wait_table(rows)


def _signal_map(counters: RunCounters, rank: int) -> AffineMapAttr:
    counter = AffineExpr.constant(0)
    for dim, size in zip(counters.dims, counters.sizes, strict=True):
        counter = counter * size + AffineExpr.dimension(dim)
    return AffineMapAttr(AffineMap(rank, 0, (counter,)))


def _replace(
    run: RunOp, waits: Sequence[tuple[SSAValue, EventMap]], signals: Sequence[tuple[SSAValue, AffineMapAttr]]
) -> None:
    """Adds waits and signals to those that a run has."""
    new = RunOp(
        run.kernel.string_value(),
        (run.first, run.last),
        run.place,
        run.inputs,
        run.outputs,
        run.at,
        waits=[*zip(run.waits, run.wait_maps, strict=True), *waits],
        signals=[*zip(run.signals, run.signal_maps, strict=True), *signals],
        cost=run.cost,
    )
    new.attributes = dict(run.attributes)
    builder_at(InsertPoint.before(run), location_of(run)).insert(new)
    run.detach()
    run.erase()
