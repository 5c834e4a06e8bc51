"""Happens-before of a launch against all its interleavings."""

from collections.abc import Iterator

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rammer_ir.scheduling.counters import SignalTable, find_deadlock
from rammer_ir.scheduling.happens_before import order_tasks
from rammer_ir.scheduling.schedule import Barrier, Schedule, TaskRun, Waits


def integers(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


class Interleavings:
    """All states that a small launch can reach: what is done before each task in all of them, and whether it stops."""

    def __init__(self, schedule: Schedule) -> None:
        self.programs: list[list[tuple[str, int]]] = [[] for _ in range(schedule.veus)]
        self.waits: dict[int, list[tuple[int, int]]] = {}
        self.signals: dict[int, list[int]] = {}
        self.always_before: dict[int, set[int]] = {}
        self.groups: dict[int, range] = {}
        for number, step in enumerate(schedule.steps):
            if isinstance(step, Barrier):
                self.groups[number] = range(step.first, step.last)
                for veu in self.groups[number]:
                    self.programs[veu].append(("barrier", number))
                continue
            for i, veu in enumerate(step.veus):
                task = int(schedule.first_tasks[number]) + i
                self.programs[int(veu)].append(("task", task))
                self.signals[task] = [int(counters[i]) for counters in step.signals]
                self.waits[task] = [
                    (int(waits.first[i]) + k, int(waits.thresholds[i]))
                    for waits in step.waits
                    for k in range(waits.counts[i])
                ]
        self.deadlocks = False
        self._explore(schedule)

    def _explore(self, schedule: Schedule) -> None:
        stack = [(0,) * schedule.veus]
        seen = set(stack)
        while stack:
            state = stack.pop()
            done = {item[1] for veu, at in enumerate(state) for item in self.programs[veu][:at] if item[0] == "task"}
            counts = [0] * schedule.counters
            for task in done:
                for counter in self.signals[task]:
                    counts[counter] += 1
            following = list(self._following(state, done, counts))
            finished = all(at == len(self.programs[veu]) for veu, at in enumerate(state))
            self.deadlocks |= not following and not finished
            stack += [successor for successor in following if successor not in seen]
            seen.update(following)

    def _following(self, state: tuple[int, ...], done: set[int], counts: list[int]) -> Iterator[tuple[int, ...]]:
        for veu, at in enumerate(state):
            if at == len(self.programs[veu]):
                continue
            kind, number = self.programs[veu][at]
            if kind == "task" and all(counts[counter] >= threshold for counter, threshold in self.waits[number]):
                self.always_before[number] = self.always_before.get(number, done) & done
                yield (*state[:veu], at + 1, *state[veu + 1 :])
            elif kind == "barrier":
                group = self.groups[number]
                if all(self.programs[v][state[v] : state[v] + 1] == [("barrier", number)] for v in group):
                    yield tuple(at + (v in group) for v, at in enumerate(state))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Small launches whose waits are mostly satisfied by earlier text."""
    veus, counters = draw(st.integers(2, 3)), draw(st.integers(1, 3))
    signalled = [0] * counters
    steps: list[TaskRun | Barrier] = []
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.integers(0, 7)) == 0:
            first = draw(st.integers(0, veus - 1))
            steps.append(Barrier(first, draw(st.integers(first + 1, veus))))
        else:
            steps.append(draw(runs(veus, signalled)))
    return Schedule(veus, counters, tuple(steps))


@st.composite
def runs(draw: st.DrawFn, veus: int, signalled: list[int]) -> TaskRun:
    """A run of a few tasks; `signalled` counts the signals of each counter so far."""
    counter = st.integers(0, len(signalled) - 1)
    waiting, signalling = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    columns: list[list[int]] = []
    for _ in range(draw(st.integers(1, 3))):
        row = [draw(st.integers(0, veus - 1))]
        for _ in range(waiting):
            first = draw(counter)
            count = draw(st.integers(1, min(2, len(signalled) - first)))
            enough = min(signalled[first : first + count])
            row += [first, count, draw(st.sampled_from([enough, enough, enough, enough - 1, 0, 1]))]
        signals = [draw(counter) for _ in range(signalling)]
        for number in signals:
            signalled[number] += 1
        columns.append(row + signals)
    table = np.array(columns, np.int64).T
    waits = tuple(Waits(*table[1 + 3 * k : 4 + 3 * k]) for k in range(waiting))
    return TaskRun(table[0], (), waits, tuple(table[1 + 3 * waiting :]))


@settings(max_examples=2000)
@given(schedules())
def test_order_is_what_all_interleavings_share(schedule: Schedule) -> None:
    table = SignalTable.of(schedule)
    deadlock = find_deadlock(schedule, table)
    if deadlock is not None:
        return
    truth = Interleavings(schedule)
    assert not truth.deadlocks
    ordering, reuse = order_tasks(schedule, table)
    if reuse is not None:
        return
    for second in range(schedule.tasks):
        for first in range(second):
            found = bool(ordering.before(integers(first), integers(second))[0])
            assert found == (first in truth.always_before[second]), (first, second)
