"""Placement where each task can start first: a legal order, and no vEU with two tasks at a time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rammer_ir.scheduling.boxes import Boxes, Integers
from rammer_ir.scheduling.list_scheduling import LEAST_GAIN, Work, order_by_urgency, place_runs
from rammer_ir.scheduling.task_relations import Kinds, Relation, relate

HANDOVER = 0.5


def related(earlier: int, later: int) -> list[Relation]:
    """Each later task comes after the earlier ones in its part of a line."""
    cuts = [np.linspace(0, 60, count + 1).astype(np.int64) for count in (earlier, later)]
    kinds = [Kinds.of(Boxes.spans(ends[:-1], ends[1:])) for ends in cuts]
    relation = relate(*kinds)
    assert relation is not None
    return [relation]


def on_one(given: list[Work]) -> list[Integers]:
    """All tasks on one vEU."""
    return [np.zeros(work.tasks, np.int64) for work in given]


@st.composite
def works(draw: st.DrawFn) -> list[Work]:
    found: list[Work] = []
    for number in range(draw(st.integers(1, 6))):
        tasks = draw(st.integers(1, 6))
        earlier = draw(st.sets(st.integers(0, number - 1), max_size=2)) if number else set[int]()
        after = {other: related(found[other].tasks, tasks) for other in earlier}
        found.append(Work(tasks, draw(st.sampled_from([1.0, 2.0, 5.0])), after))
    return found


@given(works(), st.integers(1, 4))
def test_what_is_placed_ends_when_it_says(given: list[Work], veus: int) -> None:
    placement = place_runs(given, on_one(given), veus, HANDOVER)
    assert sorted(placement.order) == list(range(len(given)))
    free = np.zeros(veus)
    ends: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
    for number in placement.order:
        work = given[number]
        starts = np.zeros(work.tasks)
        for earlier, relations in work.after.items():
            # Runs come after those that they conflict with.
            needed = relations[0].maxima(ends[earlier][:, None] + HANDOVER)[:, 0]
            starts = np.maximum(starts, needed)
        ends[number] = np.zeros(work.tasks)
        for task, veu in enumerate(placement.veus[number].tolist()):
            free[veu] = ends[number][task] = max(free[veu], starts[task]) + work.cost
    assert np.isclose(free.max(), placement.microseconds)
    assert placement.microseconds >= sum(work.tasks * work.cost for work in given) / veus - 1e-9


def test_the_longer_path_comes_first() -> None:
    head, side = Work(2, 1.0, {}), Work(2, 5.0, {})
    tail = Work(1, 10.0, {0: related(2, 1)})
    assert order_by_urgency([side, head, tail], 2, HANDOVER) == [0, 2, 1]
    tail = Work(1, 10.0, {1: related(2, 1)})
    assert order_by_urgency([side, head, tail], 2, HANDOVER) == [1, 2, 0]
    several = [side, head, tail]
    placement = place_runs(several, on_one(several), 2, HANDOVER)
    assert placement.microseconds == 1 + HANDOVER + 10


def test_idle_units_take_what_is_not_urgent() -> None:
    """Three tasks on four vEUs, then three more; beside them four long ones, of which the idle vEU takes most."""
    chain = [Work(3, 4.0, {}), Work(3, 4.0, {0: related(3, 3)})]
    several = [*chain, Work(4, 2.0, {})]
    placement = place_runs(several, on_one(several), 4, 0.0)
    assert np.bincount(placement.veus[2], minlength=4).max() == 4
    assert placement.microseconds == 8.0


def test_tasks_stay_where_they_are_for_a_small_gain() -> None:
    given = [Work(100, 1.0, {})]
    nearly_even = [np.minimum(np.arange(100) // 49, 1)]
    assert place_runs(given, nearly_even, 2, 0.0).veus[0] is nearly_even[0]
    uneven = [np.minimum(np.arange(100) // 45, 1)]
    assert place_runs(given, uneven, 2, 0.0).microseconds == 50.0 < (1 - LEAST_GAIN) * 55
