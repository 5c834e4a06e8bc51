"""Where vEUs have to meet."""

from collections.abc import Sequence

from rammer_ir.scheduling.boxes import Boxes, Integers, overlapping_pairs
from rammer_ir.scheduling.schedule import Access, Barrier, TaskRun

Pending = dict[int, list[tuple[Access, Boxes, Integers]]]
"""For each memory, what was done to it since the last barrier: the access, its hull, and the vEUs of its tasks."""


def barriers_before(steps: Sequence[TaskRun | Barrier], names: Sequence[int]) -> set[int]:
    """
    The names of the runs before which all vEUs must meet, so that conflicting tasks of different vEUs are ordered.

    `names[i]` names step `i`: a loop repeats the names of its body. Barriers among the steps are for all vEUs. One walk
    is enough: a barrier that a later iteration calls for is there in earlier ones too, and only takes conflicts away.
    """
    wanted: set[int] = set()
    pending: Pending = {}
    for step, name in zip(steps, names, strict=True):
        if isinstance(step, Barrier):
            pending = {}
            continue
        hulls = [access.boxes.hull() for access in step.accesses]
        if name not in wanted and _conflicts(pending, step, hulls):
            wanted.add(name)
        if name in wanted:
            pending = {}
        for access, hull in zip(step.accesses, hulls, strict=True):
            pending.setdefault(access.memory, []).append((access, hull, step.veus))
    return wanted


def _conflicts(pending: Pending, run: TaskRun, hulls: Sequence[Boxes]) -> bool:
    """Whether a task of the run conflicts with what a task of another vEU did since the last barrier."""
    for access, hull in zip(run.accesses, hulls, strict=True):
        for earlier, earlier_hull, veus in pending.get(access.memory, ()):
            if not _may_conflict(earlier, access):
                continue
            if next(overlapping_pairs(earlier_hull, hull), None) is None:
                continue
            for i, j in overlapping_pairs(earlier.boxes, access.boxes):
                if (veus[i] != run.veus[j]).any():
                    return True
    return False


def _may_conflict(first: Access, second: Access) -> bool:
    """Whether one writes, and the two are for each other: what stands for later iterations concerns no loop."""
    if (first.beyond and second.loop >= 0) or (second.beyond and first.loop >= 0):
        return False
    return first.write or second.write
