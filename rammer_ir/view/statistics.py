"""A timeline in numbers: how busy vEUs are, what the critical path consists of, and the longest waits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rammer_ir.view.timeline import TASK, Timeline

LONGEST = 5
"""Waits that are listed."""


@dataclass(frozen=True)
class LongWait:
    """A wait or barrier, in microseconds, and the task that ended it."""

    veu: int
    start: float
    length: float
    kind: str
    released_by: str


@dataclass(frozen=True)
class CriticalPath:
    """
    What the time of a run goes to along its critical path, in microseconds; they add up to its length.

    `compute`: tasks. `synchronisation`: from a signal until a vEU goes on. `wait`: vEUs between items, and waits that
    nothing on the path explains. `tail`: after the last item of the path.
    """

    compute: float
    synchronisation: float
    wait: float
    tail: float


@dataclass(frozen=True)
class Statistics:
    """
    Numbers of one timeline; times are microseconds, shares from 0 to 1.

    `utilisation` is the time of tasks over that of all vEUs; `waiting` that of waits and barriers; `overhead` the rest.
    """

    length: float
    veus: int
    tasks: int
    waits: int
    utilisation: float
    waiting: float
    overhead: float
    path: CriticalPath
    longest_waits: tuple[LongWait, ...]


def statistics(timeline: Timeline) -> Statistics:
    """The numbers of a timeline."""
    kinds = timeline.kinds
    taken = timeline.end - timeline.start
    total = max(timeline.length * timeline.veus, 1e-9)
    busy, waiting = float(taken[kinds == TASK].sum()), float(taken[kinds != TASK].sum())
    waits = np.flatnonzero(kinds != TASK)
    longest = waits[np.argsort(-taken[waits], kind="stable")][:LONGEST].tolist()
    return Statistics(
        length=timeline.length,
        veus=timeline.veus,
        tasks=int((kinds == TASK).sum()),
        waits=len(waits),
        utilisation=busy / total,
        waiting=waiting / total,
        overhead=1 - (busy + waiting) / total,
        path=split_path(timeline, critical_path(timeline)),
        longest_waits=tuple(_long_wait(timeline, k) for k in longest),
    )


def critical_path(timeline: Timeline) -> list[int]:
    """The items that each let the next one go on, the last of which ends the run; first to last."""
    if not timeline.items:
        return []
    path = [int(np.argmax(timeline.end))]
    seen = set(path)
    while (before := int(timeline.released_by[path[-1]])) >= 0 and before not in seen:
        path.append(before)
        seen.add(before)
    return path[::-1]


def split_path(timeline: Timeline, path: Sequence[int]) -> CriticalPath:
    """What the time along a path goes to."""
    compute = synchronisation = wait = 0.0
    clock = 0.0
    for k in path:
        start, end = max(float(timeline.start[k]), clock), float(timeline.end[k])
        if timeline.items[k].kind == TASK:
            wait += start - clock
            compute += max(end - start, 0.0)
        else:
            synchronisation += max(end - clock, 0.0)
        clock = max(clock, end)
    return CriticalPath(compute, synchronisation, wait, max(timeline.length - clock, 0.0))


def name_of(timeline: Timeline, k: int) -> str:
    """An item as text: body, task, iteration, vEU, and the nodes it comes from."""
    item = timeline.items[k]
    if item.kind != TASK:
        return f"{'a barrier' if item.needs and item.needs[0][0] < 0 else 'a wait'} of vEU {item.veu}"
    words = timeline.image.instructions[item.instruction]
    body = timeline.image.bodies[int(words[1])].name
    node = timeline.image.provenance.get(int(words[2]), "")
    return f"{body}[{item.task}] at iteration {item.iteration} on vEU {item.veu}{f' ({node})' if node else ''}"


def _long_wait(timeline: Timeline, k: int) -> LongWait:
    by = int(timeline.released_by[k])
    while by >= 0 and timeline.items[by].kind != TASK and timeline.released_by[by] != by:
        before = by - 1
        if before < 0 or timeline.items[before].veu != timeline.items[by].veu:
            break
        by = before
    item = timeline.items[k]
    return LongWait(
        veu=item.veu,
        start=float(timeline.start[k]),
        length=float(timeline.end[k] - timeline.start[k]),
        kind="barrier" if item.needs and item.needs[0][0] < 0 else "wait",
        released_by="the beginning" if by < 0 else name_of(timeline, by),
    )
