"""The safety rule: conflicting accesses to the same bytes are ordered by happens-before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rammer_ir.scheduling.boxes import Boxes, Integers, concatenate, overlapping_pairs
from rammer_ir.scheduling.happens_before import Ordering
from rammer_ir.scheduling.schedule import Access, Schedule


@dataclass(frozen=True)
class Memory:
    """A dense row-major tensor in memory, from byte `address` on; memories may share bytes."""

    shape: tuple[int, ...]
    element_bytes: int
    address: int

    @property
    def bytes(self) -> int:
        """Its size."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.element_bytes

    def spans(self, boxes: Boxes) -> Boxes:
        """The hulls of boxes as ranges of bytes."""
        elements = boxes.addresses(self.shape)
        return Boxes(
            elements.low * self.element_bytes + self.address, elements.high * self.element_bytes + self.address
        )


@dataclass(frozen=True)
class Race:
    """Two tasks, by their numbers in text order, whose accesses conflict and that nothing orders."""

    first: int
    first_access: Access
    second: int
    second_access: Access

    @property
    def kind(self) -> str:
        """RAW, WAR or WAW, in text order."""
        return f"{'W' if self.second_access.write else 'R'}A{'W' if self.first_access.write else 'R'}"


@dataclass(frozen=True)
class _Entry:
    step: int
    access: Access


def find_race(schedule: Schedule, ordering: Ordering, memories: Sequence[Memory]) -> Race | None:
    """
    Two conflicting accesses that are not ordered, or None: then every run of the launch does what its text order does.

    Boxes are compared element by element within a memory; between memories that share bytes, by their hulls.
    """
    entries = [_Entry(number, access) for number, run in schedule.runs() for access in run.accesses]
    if not entries:
        return None
    i, j = _suspects(entries, memories)
    i, j = _not_ordered_as_a_whole(schedule, ordering, entries, i, j)
    for one, other in zip(i, j, strict=True):
        race = _find_between(schedule, ordering, memories, entries[int(one)], entries[int(other)])
        if race is not None:
            return race
    return None


def _suspects(entries: Sequence[_Entry], memories: Sequence[Memory]) -> tuple[Integers, Integers]:
    """Pairs of accesses, in text order, that conflict somewhere as far as their hulls tell."""
    hulls = [memories[entry.access.memory].spans(entry.access.boxes).hull() for entry in entries]
    numbers = np.repeat(np.arange(len(entries)), [len(hull) for hull in hulls])
    spans = concatenate([*hulls, Boxes(np.zeros((0, 1), np.int64), np.zeros((0, 1), np.int64))])
    writes = np.array([entry.access.write for entry in entries])
    loops = np.array([entry.access.loop for entry in entries])
    beyond = np.array([entry.access.beyond for entry in entries])
    firsts: list[Integers] = []
    seconds: list[Integers] = []
    for i, j in overlapping_pairs(spans, spans):
        i, j = numbers[i], numbers[j]
        keep = (i <= j) & (writes[i] | writes[j])
        keep &= (~beyond[i] | (loops[j] < 0)) & (~beyond[j] | (loops[i] < 0))
        firsts.append(i[keep])
        seconds.append(j[keep])
    nothing = np.zeros(0, np.int64)
    i, j = np.concatenate([nothing, *firsts]), np.concatenate([nothing, *seconds])
    order = np.lexsort((i, j))
    return i[order], j[order]


def _not_ordered_as_a_whole(
    schedule: Schedule, ordering: Ordering, entries: Sequence[_Entry], i: Integers, j: Integers
) -> tuple[Integers, Integers]:
    """The pairs whose second run may start before the first has ended."""
    if len(i) == 0:
        return i, j
    steps = np.array([entry.step for entry in entries])
    bounds = schedule.first_tasks
    used, compact = np.unique(steps, return_inverse=True)
    ranges = [(int(bounds[step]), int(bounds[step + 1])) for step in used]
    last = np.stack([ordering.last_positions(begin, end) for begin, end in ranges])
    known = np.stack([ordering.known_positions(begin, end) for begin, end in ranges])
    ordered = np.zeros(len(i), np.bool_)
    at_once = max(1, (1 << 24) // schedule.veus)
    for begin in range(0, len(i), at_once):
        part = slice(begin, begin + at_once)
        ordered[part] = (last[compact[i[part]]] <= known[compact[j[part]]]).all(axis=1)
    ordered &= steps[i] < steps[j]
    return i[~ordered], j[~ordered]


def _find_between(
    schedule: Schedule, ordering: Ordering, memories: Sequence[Memory], one: _Entry, other: _Entry
) -> Race | None:
    first, second = one.access, other.access
    boxes, others = first.boxes, second.boxes
    if first.memory != second.memory:
        boxes, others = memories[first.memory].spans(boxes), memories[second.memory].spans(others)
    for a, b in overlapping_pairs(boxes, others):
        a, b = a + schedule.first_tasks[one.step], b + schedule.first_tasks[other.step]
        different = np.flatnonzero(a != b)
        a, b = a[different], b[different]
        unordered = ~ordering.before(np.minimum(a, b), np.maximum(a, b))
        if unordered.any():
            return _race(_earliest(a, b, unordered), first, second)
    return None


def _earliest(a: Integers, b: Integers, unordered: NDArray[np.bool_]) -> tuple[int, int]:
    candidates = np.flatnonzero(unordered)
    k = candidates[np.lexsort((a[candidates], b[candidates]))[0]]
    return int(a[k]), int(b[k])


def _race(pair: tuple[int, int], first: Access, second: Access) -> Race:
    a, b = pair
    return Race(a, first, b, second) if a < b else Race(b, second, a, first)
