"""List scheduling: runs by urgency, each task on the vEU that can start it first (Kwok and Ahmad, CSUR 1999)."""

import heapq
from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rammer_ir.scheduling.boxes import Integers
from rammer_ir.scheduling.task_relations import Relation

Microseconds = NDArray[np.float64]

LEAST_GAIN = 0.025
"""
Tasks are only placed anew for a gain of this share of the time, since costs are estimates: on an H100, ShuffleNet lost
2.8 % where the estimate gained 1.9 % (docs/results/strategies.md).
"""


@dataclass(frozen=True)
class Work:
    """
    The tasks of a run: how many, what each takes in microseconds, and which they come after.

    `after` maps earlier runs, by number, to the pairs of tasks that conflict.
    """

    tasks: int
    cost: float
    after: dict[int, list[Relation]]


@dataclass(frozen=True)
class Placement:
    """The runs in an order, the vEUs of every run's tasks by its number, and when the last task ends."""

    order: list[int]
    veus: dict[int, Integers]
    microseconds: float


def place_runs(works: Sequence[Work], present: Sequence[Integers], veus: int, handover: float) -> Placement:
    """
    Places runs in their own order, and in that of their urgency, and keeps what ends first.

    A task may start `handover` microseconds after those that it comes after. A vEU takes its tasks in the order of
    runs. Their `present` vEUs stay if the gain is smaller than `LEAST_GAIN`.
    """
    own = list(range(len(works)))
    orders = own, order_by_urgency(works, veus, handover)
    best = min((_place(works, order, veus, handover) for order in orders), key=lambda found: found.microseconds)
    kept = Placement(own, dict(enumerate(present)), _end(works, present, veus, handover))
    return best if best.microseconds < (1 - LEAST_GAIN) * kept.microseconds else kept


def _end(works: Sequence[Work], present: Sequence[Integers], veus: int, handover: float) -> float:
    """When the last task ends if the tasks of every run are on these vEUs."""
    free = [0.0] * veus
    ends: dict[int, Microseconds] = {}
    for number, (work, places) in enumerate(zip(works, present, strict=True)):
        ended: list[float] = []
        starts: list[float] = _earliest_starts(work, ends, handover).tolist()
        numbers: list[int] = places.tolist()
        for start, veu in zip(starts, numbers, strict=True):
            free[veu] = max(free[veu], start) + work.cost
            ended.append(free[veu])
        ends[number] = np.array(ended)
    return max(free)


def order_by_urgency(works: Sequence[Work], veus: int, handover: float) -> list[int]:
    """An order in which, of the runs that may come next, the one with the longest path to the end comes first."""
    following: list[list[int]] = [[] for _ in works]
    for number, work in enumerate(works):
        for earlier in work.after:
            following[earlier].append(number)
    paths = [0.0] * len(works)
    for number in reversed(range(len(works))):
        rest = max((paths[later] + handover for later in following[number]), default=0.0)
        paths[number] = -(-works[number].tasks // veus) * works[number].cost + rest
    missing = [len(work.after) for work in works]
    ready = [(-paths[number], number) for number, count in enumerate(missing) if count == 0]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        _, number = heapq.heappop(ready)
        order.append(number)
        for later in following[number]:
            missing[later] -= 1
            if missing[later] == 0:
                heapq.heappush(ready, (-paths[later], later))
    return order


def _place(works: Sequence[Work], order: list[int], veus: int, handover: float) -> Placement:
    # When each vEU is free, sorted: of those that can start a task first, the last one keeps the others free for other
    # runs; of vEUs that are free at the same time it is the one of the smallest number.
    free = [(0.0, -veu) for veu in reversed(range(veus))]
    ends: dict[int, Microseconds] = {}
    places: dict[int, Integers] = {}
    for number in order:
        work = works[number]
        placed: list[int] = []
        ended: list[float] = []
        # In the order in which a vEU takes those of its tasks that are of one run.
        for start in _earliest_starts(work, ends, handover).tolist():
            since, veu = free.pop(bisect_right(free, (max(start, free[0][0]), 1)) - 1)
            ended.append(max(since, start) + work.cost)
            placed.append(-veu)
            insort(free, (ended[-1], veu))
        places[number], ends[number] = np.array(placed, np.int64), np.array(ended)
    return Placement(order, places, free[-1][0])


def _earliest_starts(work: Work, ends: dict[int, Microseconds], handover: float) -> Microseconds:
    """When each task has all that it needs, shape [tasks]."""
    starts = np.zeros(work.tasks)
    for earlier, relations in work.after.items():
        for relation in relations:
            starts = np.maximum(starts, relation.maxima(ends[earlier][:, None] + handover)[:, 0])
    return starts
