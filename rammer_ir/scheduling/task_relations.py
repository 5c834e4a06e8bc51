"""Which tasks of a run conflict with which tasks of an earlier one, by their boxes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rammer_ir.scheduling.boxes import Boxes, Integers, concatenate, overlapping_pairs
from rammer_ir.scheduling.clocks import Clock, maxima_of_groups
from rammer_ir.scheduling.races import Memory
from rammer_ir.scheduling.schedule import Access, TaskRun


@dataclass(frozen=True)
class Relation:
    """
    Pairs of an earlier and a later task with overlapping boxes, by kinds: tasks with the same box are one kind.

    `earlier` and `later` are the kinds of the tasks, shapes [tasks]. The kinds in `groups`, of later tasks, overlap
    with the kinds `members[starts[k]:starts[k + 1]]` of earlier tasks; the others with none.
    """

    earlier: Integers
    later: Integers
    groups: Integers
    starts: Integers
    members: Integers

    def maxima(self, of_earlier: Clock) -> Clock:
        """For each later task the maxima of the rows of the earlier ones: [earlier, m] to [later, m], 0 for none."""
        order = np.argsort(self.earlier, kind="stable")
        by_kind = maxima_of_groups(of_earlier[order], np.flatnonzero(np.diff(self.earlier[order], prepend=-1)))
        by_group = np.zeros((int(self.later.max()) + 1, of_earlier.shape[1]), of_earlier.dtype)
        by_group[self.groups] = maxima_of_groups(by_kind[self.members], self.starts[:-1])
        return by_group[self.later]

    def conflicting(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
        """Which later tasks conflict with any earlier one, shape [later]."""
        has = np.zeros(int(self.later.max()) + 1, np.bool_)
        has[self.groups] = True
        return has[self.later]


def relate(earlier: Boxes, later: Boxes) -> Relation | None:
    """The tasks with these boxes, or None if no two overlap."""
    first, kinds = different_boxes(earlier)
    second, other_kinds = different_boxes(later)
    nothing = np.zeros(0, np.int64)
    pairs = list(overlapping_pairs(first, second))
    members = np.concatenate([nothing, *(i for i, _ in pairs)])
    groups = np.concatenate([nothing, *(j for _, j in pairs)])
    if len(groups) == 0:
        return None
    order = np.lexsort((members, groups))
    members, groups = members[order], groups[order]
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    return Relation(kinds, other_kinds, groups[starts], np.append(starts, len(groups)), members)


def different_boxes(boxes: Boxes) -> tuple[Boxes, Integers]:
    """The boxes without repetitions, and the number there of each box."""
    if boxes.rank == 0 or len(boxes) == 1:
        return boxes.take(np.zeros(min(len(boxes), 1), np.int64)), np.zeros(len(boxes), np.int64)
    rows, kinds = np.unique(np.concatenate([boxes.low, boxes.high], axis=1), axis=0, return_inverse=True)
    return Boxes(rows[:, : boxes.rank], rows[:, boxes.rank :]), kinds.reshape(-1)


def conflicts(earlier: TaskRun, later: TaskRun, memories: Sequence[Memory]) -> Iterator[Relation]:
    """The pairs of tasks of two runs that touch common bytes, of which one writes them; for each pair of accesses."""
    for one in earlier.accesses:
        for other in later.accesses:
            relation = _relation(one, other, memories) if one.write or other.write else None
            if relation is not None:
                yield relation


def _relation(one: Access, other: Access, memories: Sequence[Memory]) -> Relation | None:
    if one.memory == other.memory:
        return relate(one.boxes, other.boxes)
    spans, others = memories[one.memory].spans(one.boxes), memories[other.memory].spans(other.boxes)
    return relate(spans, others) if len(list(overlapping_pairs(spans.hull(), others.hull()))) else None


def run_pairs(runs: Sequence[TaskRun], memories: Sequence[Memory]) -> list[list[int]]:
    """For each run the earlier runs, the latest first, that it conflicts with as far as the hulls of accesses tell."""
    entries = [(number, access) for number, run in enumerate(runs) for access in run.accesses]
    hulls = [memories[access.memory].spans(access.boxes).hull() for _, access in entries]
    owners = np.repeat([number for number, _ in entries], [len(hull) for hull in hulls]).astype(np.int64)
    writes = np.repeat([access.write for _, access in entries], [len(hull) for hull in hulls]).astype(np.bool_)
    spans = concatenate([*hulls, Boxes.spans(np.zeros(0, np.int64), np.zeros(0, np.int64))])
    codes: set[int] = set()
    for i, j in overlapping_pairs(spans, spans):
        kept = (owners[i] < owners[j]) & (writes[i] | writes[j])
        codes.update(np.unique(owners[j[kept]] * len(runs) + owners[i[kept]]).tolist())
    found: list[list[int]] = [[] for _ in runs]
    for code in sorted(codes, reverse=True):
        found[code // len(runs)].append(code % len(runs))
    return found
