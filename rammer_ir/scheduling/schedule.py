"""A launch as arrays: the steps that its vEUs take, in text order, with loops unrolled."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from rammer_ir.scheduling.boxes import Boxes, Integers


@dataclass(frozen=True)
class Waits:
    """Each task waits until counters `first` to `first + counts - 1` have reached its threshold; shapes [n]."""

    first: Integers
    counts: Integers
    thresholds: Integers


@dataclass(frozen=True)
class Access:
    """
    What the tasks of a run read, or write, of one memory: a box each.

    `loop` is the loop that the access stands in if only a window of it is unrolled, else -1. With `beyond`, the boxes
    are what all iterations touch, or the task for all larger lengths: they count against what is outside of such loops.
    """

    memory: int
    boxes: Boxes
    write: bool
    loop: int = -1
    beyond: bool = False


@dataclass(frozen=True)
class TaskRun:
    """Tasks in text order: task `i` waits, runs on `veus[i]`, then adds one to each `signals[k][i]`."""

    veus: Integers
    accesses: tuple[Access, ...] = ()
    waits: tuple[Waits, ...] = ()
    signals: tuple[Integers, ...] = ()

    def __len__(self) -> int:
        return len(self.veus)


@dataclass(frozen=True)
class Barrier:
    """vEUs `first` to `last` (not included) meet."""

    first: int
    last: int


@dataclass(frozen=True)
class Schedule:
    """A launch: each of `veus` vEUs takes its part of the steps in order; `counters` counters start at zero."""

    veus: int
    counters: int
    steps: tuple[TaskRun | Barrier, ...]
    first_tasks: Integers = field(init=False)
    """The number of each step's first task when tasks are counted through all steps, shape [steps + 1]."""

    def __post_init__(self) -> None:
        counts = [0, *(len(step) if isinstance(step, TaskRun) else 0 for step in self.steps)]
        object.__setattr__(self, "first_tasks", np.cumsum(counts, dtype=np.int64))

    @property
    def tasks(self) -> int:
        """The number of tasks in all steps."""
        return int(self.first_tasks[-1])

    def runs(self) -> Iterator[tuple[int, TaskRun]]:
        """The runs of tasks, each with the number of its step."""
        for number, step in enumerate(self.steps):
            if isinstance(step, TaskRun):
                yield number, step

    def step_of(self, task: int) -> tuple[int, int]:
        """The step that holds a task, by its number among all tasks, and its position there."""
        number = int(np.searchsorted(self.first_tasks, task, side="right")) - 1
        return number, task - int(self.first_tasks[number])

    def select(self, wanted: Callable[[Access], bool]) -> "Schedule":
        """The same steps with some of their accesses only."""
        steps = [
            replace(step, accesses=tuple(filter(wanted, step.accesses))) if isinstance(step, TaskRun) else step
            for step in self.steps
        ]
        return Schedule(self.veus, self.counters, tuple(steps))
