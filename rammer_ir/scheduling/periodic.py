"""
How many iterations of a periodic part have to be looked at to know them all.

Waits and boxes of a periodic part depend on its index by quasi-affine maps, so after a common period they are as
before, with boxes shifted by a constant drift. What is ordered, or in conflict, `d` iterations apart is so everywhere.
A task runs on the same vEU in every iteration, so what is ordered `d` apart is ordered any distance above `d` apart.
So it is enough to see every distance at which there can be a conflict, after the iterations in which a wait for a
fixed threshold still tells something, in loops of every length up to that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import lcm

import numpy as np

from rammer_ir.dialects.rtask import BoxAttr
from rammer_ir.errors import VerificationError
from rammer_ir.scheduling.boxes import Integers
from rammer_ir.scheduling.maps import evaluate, periodicity


@dataclass(frozen=True)
class PeriodicAccess:
    """A box of a run in a periodic part, with a loop index as its symbol, and the memory it is a part of."""

    memory: int
    box: BoxAttr
    points: Integers


@dataclass(frozen=True)
class PeriodicWait:
    """A wait for counters that are signalled `rate` times a period, with the thresholds at the start of a period."""

    rate: int
    threshold: int


@dataclass(frozen=True)
class Window:
    """
    `period` of all maps, `iterations` to look at, and how boxes go on.

    `drifts[memory][dim]` is the shift of the boxes after a period; None where the boxes of a memory shift differently,
    so that they count as the whole dimension.
    """

    period: int
    iterations: int
    drifts: Mapping[int, tuple[int | None, ...]]


def common_period(accesses: Iterable[PeriodicAccess], periods: Iterable[int] = ()) -> int:
    """The period of all boxes, and of what else has one."""
    of_boxes = (periodicity(result).period for access in accesses for result in access.box.origin.data.results)
    return lcm(1, *of_boxes, *periods)


def window_of(accesses: Sequence[PeriodicAccess], waits: Iterable[PeriodicWait], period: int) -> Window:
    """The window for loops with these accesses and waits; `period` is a multiple of all their periods."""
    by_memory = _by_memory(accesses)
    drifts = drifts_by_memory(accesses, period)
    distance = max((_distance(group, drifts[memory], period) for memory, group in by_memory.items()), default=0)
    head = max((abs(wait.threshold) // wait.rate + 1 for wait in waits if wait.rate), default=0)
    return Window(period, (2 * (distance + head + 1) + 2) * period, drifts)


def _by_memory(accesses: Iterable[PeriodicAccess]) -> dict[int, list[PeriodicAccess]]:
    groups: dict[int, list[PeriodicAccess]] = {}
    for access in accesses:
        groups.setdefault(access.memory, []).append(access)
    return groups


def drifts_by_memory(accesses: Iterable[PeriodicAccess], period: int) -> dict[int, tuple[int | None, ...]]:
    """For each memory and dimension, how far all boxes move in a period, None if they move differently."""
    return {memory: _drifts(group, period) for memory, group in _by_memory(accesses).items()}


def _drifts(accesses: Sequence[PeriodicAccess], period: int) -> tuple[int | None, ...]:
    shifts = {tuple(periodicity(r).over(period) for r in access.box.origin.data.results) for access in accesses}
    return tuple(column[0] if len(set(column)) == 1 else None for column in zip(*shifts, strict=True))


def _distance(accesses: Sequence[PeriodicAccess], drifts: Sequence[int | None], period: int) -> int:
    """In how many periods all boxes have left the place where they were; 0 if they never do."""
    moving = [dim for dim, drift in enumerate(drifts) if drift]
    if not moving:
        return 0
    low, high = _extent(accesses, period)
    return min(int(high[dim] - low[dim]) // abs(drifts[dim] or 1) + 1 for dim in moving)


def _extent(accesses: Sequence[PeriodicAccess], period: int) -> tuple[Integers, Integers]:
    """The hull of all boxes over one period."""
    lows: list[Integers] = []
    highs: list[Integers] = []
    for access in accesses:
        for t in range(period):
            origins = evaluate(access.box.origin.data, access.points, [t] * access.box.origin.data.num_symbols)
            lows.append(origins.min(axis=0))
            highs.append(origins.max(axis=0) + np.asarray(access.box.sizes))
    return np.min(lows, axis=0), np.max(highs, axis=0)


def steady_threshold(drift: int, rate: int, what: str) -> None:
    """
    Checks that a threshold that grows by `drift` a period suits counters that are signalled `rate` times a period.

    Raises VerificationError: such a wait would mean other iterations the longer the loop runs.
    """
    if drift not in (0, rate):
        raise VerificationError(f"{what} grows by {drift} a period of the loop, but the counter by {rate}")
