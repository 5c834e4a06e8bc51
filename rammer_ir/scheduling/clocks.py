"""Clocks: for each vEU, how many tasks of every vEU are done as far as it knows."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rammer_ir.scheduling.boxes import Integers
from rammer_ir.scheduling.schedule import Schedule

Clock = NDArray[np.signedinteger[Any]]
"""One clock of shape [vEUs], or several of shape [clocks, vEUs]."""

Number = TypeVar("Number", bound=np.number[Any])


def clock_dtype(schedule: Schedule) -> DTypeLike:
    """The narrowest type that counts the tasks of any vEU: clocks are most of what a proof moves."""
    tasks = np.zeros(schedule.veus, np.int64)
    for _, run in schedule.runs():
        tasks += np.bincount(run.veus, minlength=schedule.veus)
    return np.int16 if tasks.max(initial=0) < np.iinfo(np.int16).max else np.int32


class ClockRows:
    """A table of clocks that is filled row by row; row 0 is that of a vEU which knows nothing."""

    def __init__(self, capacity: int, veus: int, dtype: DTypeLike) -> None:
        # Of what is allocated only what is written takes memory.
        self._table: Clock = np.empty((capacity + 1, veus), dtype)
        self._table[0] = 0
        self._count = 1

    def __len__(self) -> int:
        return self._count

    def join(self, numbers: Integers, learned: Clock) -> Integers:
        """Adds the joins of rows with what is learned, row by row; the numbers of the new ones."""
        end = self._count + len(numbers)
        np.maximum(self._table[numbers], learned, out=self._table[self._count : end])
        added = np.arange(self._count, end)
        self._count = end
        return added

    def take(self, numbers: Integers) -> Clock:
        """The rows of these numbers."""
        return self._table[numbers]

    def all(self) -> Clock:
        """All rows there are."""
        return self._table[: self._count]


def within_groups(counts: Integers) -> Integers:
    """0, 1, .. of each group, for groups of the given sizes one after another."""
    return np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)


def maxima_of_groups(rows: NDArray[Number], starts: Integers) -> NDArray[Number]:
    """The maximum of the rows of each group; groups begin at `starts`. What `np.maximum.reduceat` does, faster."""
    counts = np.diff(np.append(starts, len(rows)))
    if (counts == counts[0]).all():
        return rows.reshape(len(starts), counts[0], rows.shape[1]).max(axis=1)
    if len(starts) <= counts.max():
        return np.stack([rows[start : start + count].max(axis=0) for start, count in zip(starts, counts, strict=True)])
    maxima = rows[starts]
    for k in range(1, int(counts.max())):
        groups = np.flatnonzero(counts > k)
        maxima[groups] = np.maximum(maxima[groups], rows[starts[groups] + k])
    return maxima
