"""Which tasks of a run conflict with which tasks of an earlier one, by their boxes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from rammer_ir.scheduling.boxes import Boxes, Integers, concatenate, overlapping_pairs
from rammer_ir.scheduling.clocks import Number, maxima_of_groups
from rammer_ir.scheduling.races import Memory
from rammer_ir.scheduling.schedule import Access, TaskRun


@dataclass(frozen=True)
class Kinds:
    """The different boxes of some tasks, the number there of each task's box, and a name of all of this."""

    boxes: Boxes
    of_tasks: Integers
    key: bytes

    @classmethod
    def of(cls, boxes: Boxes) -> "Kinds":
        """Tasks with equal boxes are one kind."""
        key = blake2b(boxes.low.tobytes() + boxes.high.tobytes() + bytes([boxes.rank]), digest_size=16).digest()
        if boxes.rank == 0 or len(boxes) == 1:
            return cls(boxes.take(np.zeros(min(len(boxes), 1), np.int64)), np.zeros(len(boxes), np.int64), key)
        rows, kinds = np.unique(np.concatenate([boxes.low, boxes.high], axis=1), axis=0, return_inverse=True)
        return cls(Boxes(rows[:, : boxes.rank], rows[:, boxes.rank :]), kinds.reshape(-1), key)


@dataclass(frozen=True)
class Relation:
    """
    Pairs of an earlier and a later task with overlapping boxes, by the kinds of tasks, shapes [tasks].

    The kinds in `groups`, of later tasks, overlap with the kinds `members[starts[k]:starts[k + 1]]` of earlier tasks;
    other kinds of later tasks with none.
    """

    earlier: Integers
    later: Integers
    groups: Integers
    starts: Integers
    members: Integers

    @cached_property
    def _order(self) -> tuple[Integers, Integers]:
        """The earlier tasks sorted by kind, and where each kind begins."""
        order = np.argsort(self.earlier, kind="stable")
        return order, np.flatnonzero(np.diff(self.earlier[order], prepend=-1))

    def maxima(self, of_earlier: NDArray[Number]) -> NDArray[Number]:
        """For each later task the maxima of the rows of the earlier ones: [earlier, m] to [later, m], 0 for none."""
        order, starts = self._order
        rows = of_earlier[order]
        by_kind = maxima_of_groups(rows, starts) if len(starts) < len(rows) else rows
        by_group = np.zeros((int(self.later.max()) + 1, of_earlier.shape[1]), of_earlier.dtype)
        by_group[self.groups] = maxima_of_groups(by_kind[self.members], self.starts[:-1])
        return by_group[self.later]

    def conflicting(self) -> NDArray[np.bool_]:
        """Which later tasks conflict with any earlier one, shape [later]."""
        has = np.zeros(int(self.later.max()) + 1, np.bool_)
        has[self.groups] = True
        return has[self.later]


def relate(earlier: Kinds, later: Kinds) -> Relation | None:
    """The pairs of these kinds, or None if no two overlap."""
    nothing = np.zeros(0, np.int64)
    pairs = list(overlapping_pairs(earlier.boxes, later.boxes))
    members = np.concatenate([nothing, *(i for i, _ in pairs)])
    groups = np.concatenate([nothing, *(j for _, j in pairs)])
    if len(groups) == 0:
        return None
    order = np.lexsort((members, groups))
    members, groups = members[order], groups[order]
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    return Relation(earlier.of_tasks, later.of_tasks, groups[starts], np.append(starts, len(groups)), members)


@dataclass(frozen=True)
class _Touched:
    """What an access touches: elements of its memory, and the hulls of its boxes as bytes from `begin` on."""

    access: Access
    memory: Memory

    @cached_property
    def elements(self) -> Kinds:
        return Kinds.of(self.access.boxes)

    @cached_property
    def hull(self) -> Boxes:
        """One range of bytes, or none."""
        return self.memory.spans(self.access.boxes).hull()

    @property
    def begin(self) -> int:
        return int(self.hull.low[0, 0]) if len(self.hull) else 0

    @cached_property
    def bytes(self) -> Kinds:
        spans = self.memory.spans(self.access.boxes)
        return Kinds.of(Boxes(spans.low - self.begin, spans.high - self.begin))

    def moved_bytes(self, by: int) -> Kinds:
        kinds = self.bytes
        return Kinds(Boxes(kinds.boxes.low + by, kinds.boxes.high + by), kinds.of_tasks, kinds.key)


class RunRelations:
    """The relations between some runs, in text order, which access some memories."""

    def __init__(self, runs: Sequence[TaskRun], memories: Sequence[Memory]) -> None:
        self._runs = [[_Touched(access, memories[access.memory]) for access in run.accesses] for run in runs]
        self._writers: dict[int, list[tuple[int, _Touched]]] = {}
        for number, run in enumerate(self._runs):
            for one in run:
                if one.access.write:
                    self._writers.setdefault(one.access.memory, []).append((number, one))
        self._known: dict[tuple[bytes, bytes, int | None], Relation | None] = {}

    def pairs(self) -> list[list[int]]:
        """For each run the earlier runs, latest first, that it conflicts with as far as hulls of accesses tell."""
        entries = [(number, one) for number, run in enumerate(self._runs) for one in run if len(one.hull)]
        owners = np.array([number for number, _ in entries], np.int64)
        writes = np.array([one.access.write for _, one in entries], np.bool_)
        nothing = Boxes.spans(np.zeros(0, np.int64), np.zeros(0, np.int64))
        spans = concatenate([*(one.hull for _, one in entries), nothing])
        codes: set[int] = set()
        for i, j in overlapping_pairs(spans, spans):
            kept = (owners[i] < owners[j]) & (writes[i] | writes[j])
            codes.update(np.unique(owners[j[kept]] * len(self._runs) + owners[i[kept]]).tolist())
        found: list[list[int]] = [[] for _ in self._runs]
        for code in sorted(codes, reverse=True):
            found[code // len(self._runs)].append(code % len(self._runs))
        return found

    def conflicts(self, earlier: int, later: int) -> list[Relation]:
        """The pairs of tasks of two runs that touch common bytes, of which one writes them, access by access."""
        related = [
            self._relation(one, other)
            for one in self._runs[earlier]
            for other in self._runs[later]
            if one.access.write or other.access.write
        ]
        return [relation for relation in related if relation is not None]

    def reads(self, reader: int) -> Iterator[tuple[int, Relation]]:
        """The earlier runs that write what a run reads, each with the pairs of their tasks."""
        for other in self._runs[reader]:
            for writer, one in self._writers.get(other.access.memory, ()) if not other.access.write else ():
                relation = self._relation(one, other) if writer < reader else None
                if relation is not None:
                    yield writer, relation

    def _relation(self, one: _Touched, other: _Touched) -> Relation | None:
        """Of elements in a memory, of bytes between memories."""
        if not len(one.hull) or not len(other.hull):
            return None
        if (one.hull.low >= other.hull.high).any() or (other.hull.low >= one.hull.high).any():
            return None
        if one.access.memory == other.access.memory:
            key = one.elements.key, other.elements.key, None
            if key not in self._known:
                self._known[key] = relate(one.elements, other.elements)
        else:
            distance = other.begin - one.begin
            key = one.bytes.key, other.bytes.key, distance
            if key not in self._known:
                self._known[key] = relate(one.bytes, other.moved_bytes(distance))
        return self._known[key]
