"""The periodic parts of a launch: which are unrolled whole, and the window that stands for the others."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import lcm

import numpy as np
from xdsl.dialects.builtin import AffineMapAttr
from xdsl.ir import Operation, SSAValue

from rammer_ir.dialects.vdevice import EventMap, ForOp, LaunchOp, RunOp
from rammer_ir.errors import VerificationError
from rammer_ir.locations import describe_op
from rammer_ir.scheduling.boxes import Integers
from rammer_ir.scheduling.maps import evaluate, periodicity, table_rows
from rammer_ir.scheduling.periodic import (
    PeriodicAccess,
    PeriodicWait,
    Window,
    common_period,
    steady_threshold,
    window_of,
)
from rammer_ir.scheduling.program_form import ProgramForm, RunForm, constant_value, enclosing_loop
from rammer_ir.scheduling.unroll import counters_of, events_of

WHOLE_LOOP_TASKS = 20_000
"""A loop of known length with at most as many tasks in all its iterations is looked at whole."""

WINDOW_TASKS = 2_000_000
"""A window with more tasks is not looked at."""


MOST_CASES = 512
"""A launch whose run-time lengths would have to be looked at in more combinations is not proved."""


@dataclass(frozen=True)
class LoopCase:
    """
    Run-time lengths to prove a launch for.

    Of the loops in `windows` only that many iterations are unrolled; the lengths in `open_lengths` stand for all larger
    ones as well.
    """

    values: Mapping[SSAValue, int]
    windows: Mapping[ForOp, Window]
    open_lengths: frozenset[SSAValue]


def runs_in(form: ProgramForm, op: Operation) -> list[RunForm]:
    """The runs inside an op."""
    return [form.runs[run] for run in op.walk() if isinstance(run, RunOp)]


def tasks_in(form: ProgramForm, op: Operation) -> int:
    """The number of tasks inside an op, loops counted once."""
    return sum(len(run.veus) for run in runs_in(form, op))


def launch_cases(form: ProgramForm, launch: LaunchOp) -> Iterator[LoopCase]:
    """
    What to look at so that the launch is known for all run-time lengths, and all iterations of a loop around it.

    Raises VerificationError as `loop_cases` does.
    """
    around = enclosing_loop(launch)
    cases = list(loop_cases(form, launch))
    if around is None:
        yield from cases
        return
    for index in _host_iterations(form, launch, around):
        for case in cases:
            yield replace(case, values={**case.values, around.index: index})


def loop_cases(form: ProgramForm, launch: LaunchOp) -> Iterator[LoopCase]:
    """
    What to look at so that the launch is known for all run-time lengths: every length up to a window of iterations.

    Each small length matters, since what comes after a loop meets its last iteration, whichever that is. The last
    period of lengths stands for all larger ones. Raises VerificationError if a loop is not periodic, or there is too
    much to look at.
    """
    lengths = _run_time_lengths(launch)
    windowed = [op for op in launch.walk() if isinstance(op, ForOp) and not _is_short(form, op)]
    window = window_of_loops(form, launch, windowed)
    count = window.iterations
    if (count + 1) ** len(lengths) > MOST_CASES:
        raise VerificationError(
            f"{len(lengths)} run-time lengths of up to {count} would have to be looked at to prove it",
            location=describe_op(launch),
        )
    for chosen in product(range(count + 1), repeat=len(lengths)):
        values = dict(zip(lengths, chosen, strict=True))
        larger = frozenset(value for value in lengths if values[value] > count - window.period)
        windows: dict[ForOp, Window] = {}
        for loop in windowed:
            length = constant_value(loop.length)
            if length is not None:
                windows[loop] = replace(window, iterations=count - (count - length) % window.period)
            elif loop.length in larger:
                windows[loop] = replace(window, iterations=values[loop.length])
        yield LoopCase(values, windows, larger)


def _host_iterations(form: ProgramForm, launch: LaunchOp, around: ForOp) -> Iterator[int]:
    """The iterations of a host loop that show all there is to see inside one launch."""
    length = constant_value(around.length)
    if length is not None and length * tasks_in(form, launch) <= WHOLE_LOOP_TASKS:
        yield from range(length)
        return
    accesses = [access for run in runs_in(form, launch) for access in periodic_accesses(form, run)]
    window = window_of(accesses, (), common_period(accesses))
    written = {form.numbers[value] for run in runs_in(form, launch) for value, _, write in run.operands if write}
    if any(None in window.drifts[memory] for memory in written):
        raise VerificationError(
            "tasks of a launch in a loop go through a memory at different speeds", location=describe_op(launch)
        )
    yield from range(window.iterations if length is None else min(length, window.iterations))


def _run_time_lengths(launch: LaunchOp) -> list[SSAValue]:
    """The run-time lengths that loops and runs of a launch depend on."""
    used: dict[SSAValue, None] = {}
    for op in launch.walk():
        values: Iterable[SSAValue] = (op.length,) if isinstance(op, ForOp) else op.at if isinstance(op, RunOp) else ()
        for value in values:
            if constant_value(value) is None and not isinstance(value.owner, Operation):
                parent = value.owner.parent_op()
                if not isinstance(parent, ForOp):
                    used[value] = None
    return list(used)


def _is_short(form: ProgramForm, loop: ForOp) -> bool:
    length = constant_value(loop.length)
    return length is not None and length * tasks_in(form, loop) <= WHOLE_LOOP_TASKS


def window_of_loops(form: ProgramForm, launch: LaunchOp, loops: Sequence[ForOp]) -> Window:
    """One window for these loops of a launch, maybe none; raises VerificationError as `loop_cases` does."""
    runs = [run for loop in loops for run in runs_in(form, loop)]
    outside = [run for run in runs_in(form, launch) if run not in runs]
    moving = [*runs, *(run for run in outside if run.op.at)]
    accesses = [access for run in moving for access in periodic_accesses(form, run)]
    period = common_period(accesses, (_map_period(run, map_) for run in runs for map_ in _event_maps(run)))
    rates = _signal_rates(launch, loops, runs, period)
    waits = [wait for run in (*runs, *outside) for wait in _periodic_waits(launch, run, rates, period)]
    window = window_of(accesses, waits, period)
    tasks = window.iterations * sum(len(run.veus) for run in runs)
    if tasks > WINDOW_TASKS:
        raise VerificationError(
            f"{window.iterations} iterations of this loop, {tasks} tasks, would have to be looked at to prove it",
            location=describe_op(launch),
        )
    return window


def periodic_accesses(form: ProgramForm, run: RunForm) -> Iterator[PeriodicAccess]:
    """The accesses of a run; their symbol is the index of a loop, or a length."""
    for value, box, _ in run.operands:
        memory = form.numbers.get(value)
        if memory is not None:
            yield PeriodicAccess(memory, box, run.points)


def _event_maps(run: RunForm) -> Iterator[AffineMapAttr]:
    """The maps of waits and signals; tables do not change with a loop."""
    yield from (wait_map for wait_map in run.op.wait_maps if isinstance(wait_map, AffineMapAttr))
    yield from run.op.signal_maps


def _map_period(run: RunForm, map_attr: AffineMapAttr) -> int:
    try:
        return lcm(1, *(periodicity(result).period for result in map_attr.data.results))
    except ValueError as error:
        raise VerificationError(str(error), location=describe_op(run.op)) from error


def _signal_rates(
    launch: LaunchOp, loops: Sequence[ForOp], runs: Sequence[RunForm], period: int
) -> dict[SSAValue, Integers]:
    """How often each counter of each event is signalled in a period of the loops."""
    rates = {event: np.zeros(counters_of(event), np.int64) for event in events_of(launch)}
    signaller: dict[SSAValue, ForOp | None] = {}
    for run in runs:
        loop = enclosing_loop(run.op)
        for event, map_attr in zip(run.op.signals, run.op.signal_maps, strict=True):
            if periodicity(map_attr.data.results[0]).drift:
                raise VerificationError("a signal's counter moves with the loop", location=describe_op(run.op))
            if signaller.setdefault(event, loop) is not loop:
                raise VerificationError("two loops signal the same event", location=describe_op(run.op))
            for t in range(period):
                counters = evaluate(map_attr.data, run.points, [t] * map_attr.data.num_symbols)[:, 0]
                np.add.at(rates[event], counters % len(rates[event]), 1)
    return rates


def _waits_of_a_period(run: RunForm, wait: EventMap, period: int) -> tuple[Integers, int]:
    """What tasks wait for in the steps of a period, shape [n, 3], and by how much thresholds grow until the next."""
    if not isinstance(wait, AffineMapAttr):
        return table_rows(wait), 0
    affine_map = wait.data
    first, count, threshold = affine_map.results
    if periodicity(first).drift or periodicity(count).drift:
        raise VerificationError("the counters of a wait move with the loop", location=describe_op(run.op))
    values = np.concatenate([evaluate(affine_map, run.points, [t] * affine_map.num_symbols) for t in range(period)])
    return values, periodicity(threshold).over(period)


def _periodic_waits(
    launch: LaunchOp,
    run: RunForm,
    rates: Mapping[SSAValue, Integers],
    period: int,
) -> Iterator[PeriodicWait]:
    """The waits of a run for counters that loops signal; checks that their thresholds go with the loop."""
    for event, map_attr in zip(run.op.waits, run.op.wait_maps, strict=True):
        if not isinstance(map_attr, AffineMapAttr) and not rates[event].any():
            continue
        values, drift = _waits_of_a_period(run, map_attr, period)
        for low, counters, start in np.unique(values, axis=0).tolist():
            for rate in np.unique(rates[event][max(low, 0) : low + counters]).tolist():
                if drift:
                    steady_threshold(drift, rate, f"a wait of {run.describe(0)}")
                yield PeriodicWait(rate, start)
