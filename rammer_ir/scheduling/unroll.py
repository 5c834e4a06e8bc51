"""A launch as steps: its runs and barriers in text order, loops unrolled for given lengths."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import AffineMapAttr
from xdsl.ir import Block, SSAValue

from rammer_ir.dialects.vdevice import (
    BarrierOp,
    EventMap,
    EventOp,
    EventType,
    ForOp,
    GroupOp,
    LaunchOp,
    PinOp,
    RunOp,
    enclosing_veus,
)
from rammer_ir.errors import VerificationError
from rammer_ir.locations import describe_op
from rammer_ir.scheduling.boxes import Boxes, Integers
from rammer_ir.scheduling.maps import evaluate, periodicity, table_rows
from rammer_ir.scheduling.periodic import Window
from rammer_ir.scheduling.program_form import ProgramForm, RunForm, constant_value, shape_of, task_boxes
from rammer_ir.scheduling.schedule import Access, Barrier, Schedule, TaskRun, Waits


@dataclass(frozen=True)
class UnrolledLaunch:
    """
    A launch as a schedule.

    `ops[step]` is where a step comes from; `iterations[step]` is the index of the loop around it. `events` are the
    launch's, with their first counters.
    """

    form: ProgramForm
    schedule: Schedule
    ops: tuple[RunOp | BarrierOp, ...]
    iterations: tuple[int | None, ...]
    events: Mapping[SSAValue, int]

    def describe(self, task: int) -> str:
        """A task, by its number in text order, as text."""
        step, position = self.schedule.step_of(task)
        op = self.ops[step]
        assert isinstance(op, RunOp)
        return self.form.runs[op].describe(position, self.iterations[step])

    def describe_counter(self, counter: int) -> str:
        """A counter of the launch as text: event and position."""
        event, first = max(
            ((event, first) for event, first in self.events.items() if first <= counter), key=lambda pair: pair[1]
        )
        name = "event" if event.name_hint is None else f"event %{event.name_hint}"
        return f"counter {counter - first} of {name}"


def events_of(launch: LaunchOp) -> dict[SSAValue, int]:
    """The events of a launch, each with the number of its first counter among the counters of the launch."""
    first = 0
    events: dict[SSAValue, int] = {}
    for op in launch.walk():
        if isinstance(op, EventOp):
            events[op.result] = first
            first += counters_of(op.result)
    return events


def counters_of(event: SSAValue) -> int:
    """How many counters an event has."""
    return event.type.counters if isinstance(event.type, EventType) else 0


def length_of(loop: ForOp, values: Mapping[SSAValue, int]) -> int:
    """How often a loop runs, given the run-time lengths; raises VerificationError if the length is neither."""
    constant = constant_value(loop.length)
    length = values.get(loop.length) if constant is None else constant
    if length is None:
        raise VerificationError("the length of a loop is a constant or an argument", location=describe_op(loop))
    return length


def unroll(
    form: ProgramForm,
    launch: LaunchOp,
    values: Mapping[SSAValue, int],
    windows: Mapping[ForOp, Window],
    open_lengths: Collection[SSAValue],
) -> UnrolledLaunch:
    """
    The launch with run-time lengths, and indices of loops around it, as in `values`.

    Loops in `windows` are unrolled for the window's iterations, and the last period of these stands for all others. So
    does a run at a length in `open_lengths` for those at larger lengths.
    """
    unroller = _Unroller(form, launch, values, windows, open_lengths)
    unroller.block(launch.body.block)
    counters = sum(counters_of(event) for event in unroller.events)
    schedule = Schedule(launch.veus, counters, tuple(unroller.steps))
    return UnrolledLaunch(form, schedule, tuple(unroller.ops), tuple(unroller.iterations), unroller.events)


class _Unroller:
    def __init__(
        self,
        form: ProgramForm,
        launch: LaunchOp,
        values: Mapping[SSAValue, int],
        windows: Mapping[ForOp, Window],
        open_lengths: Collection[SSAValue],
    ) -> None:
        self.form = form
        self.events = events_of(launch)
        self.values = dict(values)
        self.windows = windows
        self.open_lengths = open_lengths
        self.steps: list[TaskRun | Barrier] = []
        self.ops: list[RunOp | BarrierOp] = []
        self.iterations: list[int | None] = []
        self._iteration: int | None = None
        self._still: dict[RunOp, TaskRun] = {}
        self._loop: tuple[int, Window, bool] | None = None
        """The windowed loop around: its number, its window, and whether all iterations are meant."""

    def block(self, block: Block) -> None:
        for op in block.ops:
            match op:
                case RunOp():
                    self._add(op, self._run(self.form.runs[op]))
                case BarrierOp():
                    self._add(op, Barrier(*enclosing_veus(op)))
                case GroupOp():
                    self.block(op.body.block)
                case ForOp():
                    self._for(op)
                case EventOp() | PinOp() | ConstantOp():
                    pass
                case _:
                    raise VerificationError(f"{op.name} is not part of a launch", location=describe_op(op))

    def _add(self, op: RunOp | BarrierOp, step: TaskRun | Barrier) -> None:
        self.steps.append(step)
        self.ops.append(op)
        self.iterations.append(self._iteration)

    def _for(self, op: ForOp) -> None:
        window = self.windows.get(op)
        length = length_of(op, self.values) if window is None else window.iterations
        for t in range(length):
            self.values[op.index] = self._iteration = t
            if window is not None:
                number = list(self.windows).index(op)
                self._loop = number, window, t >= length - window.period
            self.block(op.body.block)
        self._loop = self._iteration = None

    def _run(self, run: RunForm) -> TaskRun:
        if run.op in self._still:
            return self._still[run.op]
        symbols = [self._symbol(value) for value in run.op.at]
        waits = tuple(
            self._wait(run, event, wait_map, symbols)
            for event, wait_map in zip(run.op.waits, run.op.wait_maps, strict=True)
        )
        signals = tuple(
            self._signal(run, event, signal_map, symbols)
            for event, signal_map in zip(run.op.signals, run.op.signal_maps, strict=True)
        )
        step = TaskRun(run.veus, tuple(self._accesses(run, symbols)), waits, signals)
        if not symbols and self._loop is None:
            self._still[run.op] = step
        return step

    def _symbol(self, value: SSAValue) -> int:
        constant = constant_value(value)
        return self.values[value] if constant is None else constant

    def _accesses(self, run: RunForm, symbols: Sequence[int]) -> Iterator[Access]:
        for value, box, write in run.operands:
            memory = self.form.numbers.get(value)
            if memory is None:
                continue
            shape = shape_of(value)
            boxes = task_boxes(box, run.points, symbols, shape)
            if self._loop is None:
                yield Access(memory, boxes, write)
                if any(length in self.open_lengths for length in run.op.at):
                    drifts = [periodicity(result).drift for result in box.origin.data.results]
                    yield Access(memory, go_on(boxes, drifts, shape), write, beyond=True)
                continue
            number, window, last = self._loop
            drifts = window.drifts[memory]
            here = go_on(boxes, [None if drift is None else 0 for drift in drifts], shape)
            yield Access(memory, here, write, number)
            if last:
                early = task_boxes(box, run.points, [symbol % window.period for symbol in symbols], shape)
                yield Access(memory, go_on(early, drifts, shape), write, number, beyond=True)

    def _wait(self, run: RunForm, event: SSAValue, wait_map: EventMap, symbols: Sequence[int]) -> Waits:
        is_map = isinstance(wait_map, AffineMapAttr)
        values = self._evaluate(run, wait_map, symbols) if is_map else table_rows(wait_map)
        first, counts = values[:, 0], values[:, 1]
        self._check_counters(run, event, first, first + counts)
        return Waits(first + self.events[event], counts, values[:, 2])

    def _signal(self, run: RunForm, event: SSAValue, signal_map: AffineMapAttr, symbols: Sequence[int]) -> Integers:
        counters = self._evaluate(run, signal_map, symbols)[:, 0]
        self._check_counters(run, event, counters, counters + 1)
        return counters + self.events[event]

    def _evaluate(self, run: RunForm, map_attr: AffineMapAttr, symbols: Sequence[int]) -> Integers:
        affine_map = map_attr.data
        if affine_map.num_dims != run.points.shape[1]:
            raise VerificationError(
                f"map {affine_map} of a wait or signal does not take the {run.points.shape[1]} coordinates of a task",
                location=describe_op(run.op),
            )
        return evaluate(affine_map, run.points, symbols[: affine_map.num_symbols])

    def _check_counters(self, run: RunForm, event: SSAValue, first: Integers, end: Integers) -> None:
        if event not in self.events:
            raise VerificationError("an event of another launch", location=describe_op(run.op))
        total = counters_of(event)
        bad = np.flatnonzero((first < 0) | (end > total) | (end < first))
        if len(bad):
            task = int(bad[0])
            raise VerificationError(
                f"{run.describe(task)} names counters [{first[task]}, {end[task]}) of an event that has {total}"
            )


def go_on(boxes: Boxes, drifts: Sequence[int | None], shape: Sequence[int]) -> Boxes:
    """The boxes with all that they become when they drift on and on; None stands for the whole dimension."""
    low, high = boxes.low.copy(), boxes.high.copy()
    for dim, drift in enumerate(drifts):
        if drift is None or drift < 0:
            low[:, dim] = 0
        if drift is None or drift > 0:
            high[:, dim] = shape[dim]
    return Boxes(low, high)
