"""Where vEUs have to meet."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from rammer_ir.scheduling.boxes import Boxes, Integers, overlapping_pairs
from rammer_ir.scheduling.schedule import Access, Barrier, TaskRun

Pending = dict[int, list[tuple[Access, Boxes, Integers]]]
"""For each memory, what was done to it since the last barrier: the access, its hull, and the vEUs of its tasks."""


@dataclass(frozen=True)
class NamedStep:
    """A step with the name of its run, which a loop repeats, and that of the loop it stands in, if any."""

    step: TaskRun | Barrier
    name: int
    loop: int | None


@dataclass
class BarrierPlan:
    """The names of the runs, and of the loops, before which all vEUs meet."""

    runs: set[int] = field(default_factory=set[int])
    loops: set[int] = field(default_factory=set[int])

    def extend(self, steps: Sequence[NamedStep]) -> None:
        """
        Adds what it takes that conflicting tasks of different vEUs are ordered. Barriers among the steps are for all.

        One walk is enough: a barrier that a later iteration calls for is there in earlier ones too, and only takes
        conflicts away. What stands before a loop is parted from it before the loop, not in every iteration.
        """
        pending: Pending = {}
        for loop, group in groupby(steps, key=lambda step: step.loop):
            part = list(group)
            if loop is not None:
                self._walk(part, {})
                if loop in self.loops or self._enters_in_conflict(part, pending):
                    self.loops.add(loop)
                    pending = {}
            pending = self._walk(part, pending)

    def _walk(self, steps: Sequence[NamedStep], before: Pending) -> Pending:
        """Adds the barriers that a sequence of steps needs; what is pending after it."""
        pending = {memory: list(accesses) for memory, accesses in before.items()}
        for named in steps:
            run = named.step
            if isinstance(run, Barrier):
                pending = {}
                continue
            if named.name not in self.runs and _conflicts(pending, run):
                self.runs.add(named.name)
            if named.name in self.runs:
                pending = {}
            for access in run.accesses:
                pending.setdefault(access.memory, []).append((access, access.boxes.hull(), run.veus))
        return pending

    def _enters_in_conflict(self, steps: Sequence[NamedStep], pending: Pending) -> bool:
        """Whether something before the first barrier of a loop conflicts with what stands before the loop."""
        for named in steps:
            if isinstance(named.step, Barrier) or named.name in self.runs:
                return False
            if _conflicts(pending, named.step):
                return True
        return False


def _conflicts(pending: Pending, run: TaskRun) -> bool:
    """Whether a task of the run conflicts with what a task of another vEU did since the last barrier."""
    for access in run.accesses:
        hull = access.boxes.hull()
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
    """Whether one writes, and the two are for each other: what stands for all iterations concerns no loop."""
    if (first.beyond and second.loop >= 0) or (second.beyond and first.loop >= 0):
        return False
    return first.write or second.write
