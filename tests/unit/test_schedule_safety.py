"""Order and races of a launch against all its interleavings."""

import time
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rammer_ir.scheduling.boxes import Boxes
from rammer_ir.scheduling.counters import SignalTable, find_deadlock
from rammer_ir.scheduling.happens_before import order_tasks
from rammer_ir.scheduling.races import Memory, find_race
from rammer_ir.scheduling.schedule import Access, Barrier, Schedule, TaskRun, Waits
from rammer_ir.scheduling.words import NeverWritten, WrittenTwice, find_words_fault

MEMORIES = (Memory((4, 4), 4, 0), Memory((8,), 4, 32), Memory((2,), 4, 1000))
"""The first two share bytes."""


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
    accesses = tuple(draw(accesses_of(len(columns))) for _ in range(draw(st.integers(0, 2))))
    return TaskRun(table[0], accesses, waits, tuple(table[1 + 3 * waiting :]))


@st.composite
def accesses_of(draw: st.DrawFn, tasks: int) -> Access:
    """Small boxes of a memory, one a task; some empty."""
    memory = draw(st.integers(0, len(MEMORIES) - 1))
    shape = MEMORIES[memory].shape
    low = np.array([[draw(st.integers(-1, extent)) for extent in shape] for _ in range(tasks)], np.int64)
    return Access(memory, Boxes.clipped(low, [draw(st.integers(1, 2)) for _ in shape], shape), draw(st.booleans()))


@settings(max_examples=400)
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


def elements(access: Access, task: int) -> set[int]:
    """Bytes a task touches; those of a hull where memories may share them."""
    box = access.boxes.take(integers(task))
    if box.empty()[0]:
        return set()
    memory = MEMORIES[access.memory]
    ranges = [range(int(a), int(b)) for a, b in zip(box.low[0], box.high[0], strict=True)]
    cells = [int(np.ravel_multi_index(index, memory.shape)) for index in product(*ranges)]
    first = [cell * memory.element_bytes + memory.address for cell in cells]
    return {address + byte for address in first for byte in range(memory.element_bytes)}


def hull(touched: set[int]) -> set[int]:
    return set(range(min(touched), max(touched) + 1)) if touched else set()


def races_by_interleaving(schedule: Schedule, truth: Interleavings) -> bool:
    """Whether two conflicting accesses are not in the same order in all interleavings."""
    touched: list[tuple[int, Access, set[int]]] = []
    for number, run in schedule.runs():
        for i in range(len(run)):
            touched += [(int(schedule.first_tasks[number]) + i, a, elements(a, i)) for a in run.accesses]
    for first, one, left in touched:
        for second, other, right in touched:
            if first < second and (one.write or other.write):
                same = one.memory == other.memory
                meet = left & right if same else hull(left) & hull(right)
                if meet and first not in truth.always_before[second]:
                    return True
    return False


@settings(max_examples=300)
@given(schedules())
def test_races_are_found(schedule: Schedule) -> None:
    table = SignalTable.of(schedule)
    if find_deadlock(schedule, table) is not None:
        return
    ordering, reuse = order_tasks(schedule, table)
    if reuse is not None:
        return
    race = find_race(schedule, ordering, MEMORIES)
    assert (race is not None) == races_by_interleaving(schedule, Interleavings(schedule))
    if race is not None:
        assert race.first < race.second
        assert race.first_access.write or race.second_access.write


def chain(waits: bool = True, threshold: int = 2, *, late: bool = False) -> Schedule:
    """Two tasks on two vEUs write, a task on a third reads what both wrote."""
    cells = Boxes.clipped(integers(0, 1)[:, None], [1], [2])
    writers = TaskRun(integers(0, 1), (Access(2, cells, write=True),), (), (integers(0, 0),))
    wait = Waits(integers(0), integers(1), integers(threshold))
    reader = TaskRun(integers(2), (Access(2, Boxes.whole([2]), write=False),), (wait,) if waits else ())
    again = TaskRun(integers(1), (), (), (integers(0),))
    return Schedule(3, 1, (writers, again, reader) if late else (writers, reader))


def test_messages_have_what_they_need() -> None:
    schedule = chain()
    ordering, reuse = order_tasks(schedule, SignalTable.of(schedule))
    assert reuse is None
    assert find_race(schedule, ordering, MEMORIES) is None

    schedule = chain(waits=False)
    race = find_race(schedule, order_tasks(schedule, SignalTable.of(schedule))[0], MEMORIES)
    assert race is not None
    assert (race.kind, race.first, race.second) == ("RAW", 0, 2)

    deadlock = find_deadlock(chain(threshold=3), SignalTable.of(chain(threshold=3)))
    assert deadlock is not None
    assert (deadlock.task, deadlock.counter, deadlock.threshold, deadlock.signals, deadlock.total) == (0, 0, 3, 2, 2)

    # Any two of three signals let the reader go: one of them may be the one that means nothing.
    schedule = chain(late=True)
    reuse = order_tasks(schedule, SignalTable.of(schedule))[1]
    assert reuse is not None
    assert (reuse.counter, reuse.threshold, reuse.late) == (0, 2, 2)


@settings(max_examples=200)
@given(st.data())
def test_words(data: st.DataObject) -> None:
    steps: list[TaskRun] = []
    for _ in range(data.draw(st.integers(1, 4))):
        n = data.draw(st.integers(1, 3))
        low = np.array([[data.draw(st.integers(0, 5))] for _ in range(n)], np.int64)
        boxes = Boxes.clipped(low, [data.draw(st.integers(1, 3))], [6])
        access = Access(0, boxes, data.draw(st.booleans()))
        steps.append(TaskRun(np.zeros(n, np.int64), (access,)))
    written: set[int] = set()
    expected: str | None = None
    twice = False
    for step in steps:
        for i in range(len(step)):
            (access,) = step.accesses
            cells = set(range(int(access.boxes.low[i, 0]), int(access.boxes.high[i, 0])))
            if access.write:
                twice |= bool(cells & written)
                written |= cells
            elif not cells <= written:
                expected = expected or "never"
    fault = find_words_fault(Schedule(1, 0, tuple(steps)), [0])
    assert isinstance(fault, WrittenTwice) == twice
    if not twice:
        assert isinstance(fault, NeverWritten) == (expected is not None)


def large(waves: int, tasks: int, veus: int, *, with_events: bool) -> tuple[Schedule, list[Memory]]:
    """Waves of tasks, each of which reads what three of the wave before wrote; barriers or events between."""
    steps: list[TaskRun | Barrier] = []
    groups = -(-tasks // 16)
    sizes = np.minimum(np.full(groups, 16), tasks - 16 * np.arange(groups))
    cells = (np.arange(tasks) * 64)[:, None]
    reads, writes = Boxes.clipped(cells - 64, [192], [64 * tasks]), Boxes.clipped(cells, [64], [64 * tasks])
    group = np.arange(tasks) // 16
    for wave in range(waves):
        accesses = (Access(wave, reads, write=False), Access(wave + 1, writes, write=True))
        waits: list[Waits] = []
        for shift in (-1, 0, 1) if with_events and wave else ():
            counter = np.clip(group + shift, 0, groups - 1)
            waits.append(Waits((wave - 1) * groups + counter, np.ones(tasks, np.int64), sizes[counter]))
        signals = (wave * groups + group,) if with_events else ()
        steps.append(TaskRun((np.arange(tasks) + 37 * wave) % veus, accesses, tuple(waits), signals))
        if not with_events:
            steps.append(Barrier(0, veus))
    memories = [Memory((64 * tasks,), 4, number * tasks * 256) for number in range(waves + 1)]
    return Schedule(veus, waves * groups, tuple(steps)), memories


@pytest.mark.parametrize(("with_events", "seconds"), [(False, 1.0), (True, 4.0)])
def test_hundred_thousand_tasks_are_quick(with_events: bool, seconds: float) -> None:
    schedule, memories = large(100, 1000, 132, with_events=with_events)
    start = time.process_time()
    table = SignalTable.of(schedule)
    assert find_deadlock(schedule, table) is None
    ordering, reuse = order_tasks(schedule, table)
    assert reuse is None
    assert find_race(schedule, ordering, memories) is None
    assert time.process_time() - start < seconds
