"""A program of the `vdevice` level as what its vEUs do one after another: tasks, and meetings at barriers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from xdsl.ir import SSAValue

from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.dialects.vdevice import RunOp

Slices = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class Operand:
    """The elements of a memref that a task reads or writes."""

    value: SSAValue
    box: Slices
    origin: tuple[int, ...]
    """Where its box begins, before it is clipped to the memref."""
    sizes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Task:
    """
    A task of a kernel in one iteration of the loop around it.

    `waits` are (counter, threshold), `signals` counters, both of the task's launch. `number` is its place in text order
    among the tasks of all launches, `veu` its vEU in the launch and `own_veu` in the group around it.
    """

    number: int
    op: RunOp
    kernel: KernelOp
    index: int
    iteration: int
    veu: int
    own_veu: int
    reads: tuple[Operand, ...]
    writes: tuple[Operand, ...]
    waits: tuple[tuple[int, int], ...]
    signals: tuple[int, ...]

    def __str__(self) -> str:
        coordinates = ", ".join(str(int(part)) for part in np.unravel_index(self.index, self.kernel.grid))
        return f"@{self.kernel.sym_name.data}[{coordinates}] at iteration {self.iteration} on vEU {self.veu}"


@dataclass(frozen=True)
class Meeting:
    """A barrier of the vEUs `first` to `last` (not included)."""

    first: int
    last: int


Item = Task | Meeting


@dataclass(frozen=True, eq=False)
class LaunchRun:
    """One execution of a launch: a stream of items for each vEU; it starts when the launches `after` have ended."""

    number: int
    streams: tuple[tuple[Item, ...], ...]
    counters: int
    after: frozenset[int]


@dataclass(frozen=True, eq=False)
class ProgramTasks:
    """All launches of a program for given run-time lengths, in text order."""

    launches: tuple[LaunchRun, ...]
    lengths: Mapping[SSAValue, int] = field(default_factory=dict[SSAValue, int])

    @property
    def tasks(self) -> list[Task]:
        """All tasks in text order."""
        found = [
            item for launch in self.launches for stream in launch.streams for item in stream if isinstance(item, Task)
        ]
        return sorted(found, key=lambda task: task.number)


def box_slices(low: Sequence[int], high: Sequence[int]) -> Slices:
    """A box as an index of an array; an empty one where it ends before it begins."""
    return tuple(slice(begin, max(begin, end)) for begin, end in zip(low, high, strict=True))
