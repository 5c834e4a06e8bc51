"""Waits for single tasks in place of barriers: enough of them, and none too many."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rammer_ir.scheduling.boxes import Boxes, Integers
from rammer_ir.scheduling.counters import SignalTable, find_deadlock
from rammer_ir.scheduling.happens_before import order_tasks
from rammer_ir.scheduling.maps import grid_points
from rammer_ir.scheduling.races import Memory, Race, find_race
from rammer_ir.scheduling.relaxation import MOST_POLLED, EventPlan, GridRun, plan_events
from rammer_ir.scheduling.schedule import Access, Barrier, Schedule, TaskRun, Waits

MEMORIES = (Memory((4, 4), 4, 0), Memory((4, 4), 4, 32), Memory((16,), 4, 200))
"""The first two share bytes."""

Step = GridRun | Barrier


@st.composite
def steps(draw: st.DrawFn) -> tuple[int, list[Step]]:
    """Some runs on two or three vEUs, each of which reads one memory and writes another, and maybe barriers."""
    veus = draw(st.integers(2, 3))
    found: list[Step] = []
    for _ in range(draw(st.integers(2, 6))):
        if draw(st.integers(0, 5)) == 0:
            found.append(Barrier(0, veus))
        found.append(draw(grid_runs(veus)))
    return veus, found


@st.composite
def grid_runs(draw: st.DrawFn, veus: int) -> GridRun:
    """A run over a grid whose boxes move with its coordinates; tasks write disjoint boxes."""
    grid = draw(st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 2), (4, 2), (4, 1)]))
    points = grid_points(grid, 0, int(np.prod(grid)))
    place = draw(st.lists(st.integers(0, veus - 1), min_size=len(points), max_size=len(points)))
    read, written = draw(st.sampled_from([(0, 2), (1, 2), (2, 0), (2, 1)]))
    border = draw(st.integers(0, 1))
    accesses = (
        Access(read, boxes_of(points, grid, MEMORIES[read].shape, border), write=False),
        Access(written, boxes_of(points, grid, MEMORIES[written].shape, 0), write=True),
    )
    return GridRun(TaskRun(np.array(place, np.int64), accesses), points)


def boxes_of(points: Integers, grid: tuple[int, ...], shape: tuple[int, ...], border: int) -> Boxes:
    """A memory cut along its dimensions as the grid is, each part with a border."""
    if len(shape) == 1:
        points, grid = (points @ np.array([grid[1], 1]))[:, None], (grid[0] * grid[1],)
    sizes = np.array(shape) // np.array(grid)
    return Boxes.clipped(points * sizes - border, (sizes + 2 * border).tolist(), shape)


def schedule_of(veus: int, given: list[Step], plan: EventPlan) -> Schedule:
    """The steps with the waits and signals of the plan: the counters of each run, then its total."""
    firsts: dict[int, int] = {}
    count = 0
    for number in range(len(plan.waits)):
        firsts[number] = count
        count += (plan.counters[number].count if number in plan.counters else 0) + 1
    scheduled: list[TaskRun | Barrier] = []
    number = 0
    for step in given:
        if isinstance(step, Barrier):
            scheduled.append(step)
            continue
        waits: list[Waits] = []
        for wait in plan.waits[number]:
            fine = plan.counters[wait.producer].count if wait.producer in plan.counters else 0
            first = firsts[wait.producer] + wait.rows[:, 0] + (fine if wait.whole else 0)
            waits.append(Waits(first, wait.rows[:, 1], wait.rows[:, 2]))
        of_parts = plan.counters[number].of_tasks if number in plan.counters else np.zeros(0, np.int64)
        signals: list[Integers] = [firsts[number] + of_parts] if len(of_parts) else []
        if number in plan.totals:
            fine = plan.counters[number].count if number in plan.counters else 0
            signals.append(np.full(len(step.run), firsts[number] + fine))
        scheduled.append(TaskRun(step.run.veus, step.run.accesses, tuple(waits), tuple(signals)))
        number += 1
    return Schedule(veus, count, tuple(scheduled))


def race_of(schedule: Schedule) -> Race | None:
    table = SignalTable.of(schedule)
    assert find_deadlock(schedule, table) is None
    ordering, reuse = order_tasks(schedule, table)
    assert reuse is None
    return find_race(schedule, ordering, MEMORIES)


@settings(deadline=None)
@given(steps())
def test_conflicting_tasks_are_ordered_and_every_wait_is_needed(given: tuple[int, list[Step]]) -> None:
    veus, several = given
    plan = plan_events(several, veus, MEMORIES)
    assert race_of(schedule_of(veus, several, plan)) is None
    for waits in plan.waits:
        for wait in waits:
            for task in np.flatnonzero(wait.rows[:, 1]):
                kept = wait.rows[task].copy()
                wait.rows[task] = 0
                assert race_of(schedule_of(veus, several, plan)) is not None, (wait, task)
                wait.rows[task] = kept


def test_a_reader_of_a_row_waits_for_its_row() -> None:
    """A grid of rows and columns, of which a reader needs three rows whole: a counter a row."""
    shape = (8, 8)
    memories = (Memory(shape, 4, 0), Memory(shape, 4, 256))
    points = grid_points((8, 2), 0, 16)
    written = Boxes.clipped(points * (1, 4), (1, 4), shape)
    rows = grid_points((8,), 0, 8)
    read = Boxes.clipped(np.stack([rows[:, 0] - 1, np.zeros(8, np.int64)], axis=1), (3, 8), shape)
    writer = GridRun(TaskRun(np.arange(16), (Access(0, written, write=True),)), points)
    own = Access(1, Boxes.clipped(rows * (1, 0), (1, 8), shape), write=True)
    reader = GridRun(TaskRun(np.arange(8), (Access(0, read, write=False), own)), rows)
    plan = plan_events([writer, reader], 16, memories)
    assert (plan.counters[0].dims, plan.counters[0].sizes, plan.counters[0].threshold) == ((0,), (8,), 2)
    assert plan.waits[1][0].rows.tolist() == [[max(row - 1, 0), 3 - (row in (0, 7)), 2] for row in range(8)]


def test_a_reader_of_many_counters_waits_for_all() -> None:
    """Another reader takes single elements, so each has a counter; who needs most of them waits for one total."""
    shape = (2 * MOST_POLLED,)
    points = grid_points(shape, 0, shape[0])
    single = Boxes(points, points + 1)
    memories = (Memory(shape, 4, 0), Memory(shape, 4, 1024), Memory((2,), 4, 2048))
    veus = np.arange(shape[0])
    half = Boxes(np.array([[0], [MOST_POLLED]]), np.array([[MOST_POLLED], [shape[0]]]))
    more = Boxes(half.low - 1, half.high).take(np.array([1]))
    two = np.array([[0], [1]])
    several: list[Step] = [
        GridRun(TaskRun(veus, (Access(0, single, write=True),)), points),
        GridRun(TaskRun(veus[::-1].copy(), (Access(0, single, write=False), Access(1, single, write=True))), points),
        GridRun(TaskRun(np.zeros(2, np.int64), (Access(0, half, write=False),)), two),
        GridRun(TaskRun(np.ones(1, np.int64), (Access(0, more, write=False),)), two[:1]),
    ]
    plan = plan_events(several, shape[0], memories)
    assert plan.counters[0].count == shape[0]
    assert [wait.rows.tolist() for wait in plan.waits[2]] == [[[0, MOST_POLLED, 1], [MOST_POLLED, MOST_POLLED, 1]]]
    assert [(wait.whole, wait.rows.tolist()) for wait in plan.waits[3]] == [(True, [[0, 1, shape[0]]])]
    assert plan.totals == {0}
    assert race_of_memories(schedule_of(shape[0], several, plan), memories) is None


def race_of_memories(schedule: Schedule, memories: tuple[Memory, ...]) -> Race | None:
    ordering, _ = order_tasks(schedule, SignalTable.of(schedule))
    return find_race(schedule, ordering, memories)
