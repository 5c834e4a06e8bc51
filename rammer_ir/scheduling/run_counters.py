"""Counters by which the tasks of a run tell that they are done: its grid without what every reader reads whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rammer_ir.scheduling.boxes import Integers
from rammer_ir.scheduling.task_relations import Relation


@dataclass(frozen=True)
class RunCounters:
    """
    `dims` of a grid of tasks, the outermost first, count tasks apart: `sizes` says how many counters each has.

    `of_tasks` is the counter of each task of the run; every counter is signalled `threshold` times.
    """

    dims: tuple[int, ...]
    sizes: tuple[int, ...]
    of_tasks: Integers
    threshold: int

    @property
    def count(self) -> int:
        """The number of counters."""
        return int(np.prod(self.sizes, dtype=np.int64))


def counters_of_run(points: Integers, reads: Iterable[Relation]) -> RunCounters:
    """
    The counters of a run whose tasks have the coordinates `points`, shape [n, rank], given who reads what they write.

    A dimension of the grid that every reader needs whole has one counter for all. Dimensions of which readers need
    least are outermost, so that what a reader needs is a range, or nearly.
    """
    shape = points.max(axis=0) + 1
    widths = np.ones_like(shape)
    is_read = False
    whole = np.ones(len(shape), np.bool_)
    for relation in reads:
        is_read = True
        extents = _extents(points, relation)
        widths = np.maximum(widths, extents.max(axis=0))
        whole &= (extents == shape).all(axis=0)
    kept = [dim for dim in np.argsort(widths, kind="stable").tolist() if is_read and not whole[dim] and shape[dim] > 1]
    return _counted(points, kept, shape.tolist()) or _one_counter(points)


def _extents(points: Integers, relation: Relation) -> Integers:
    """How much of each dimension of the earlier tasks' grid a later task needs, shape [later tasks that do, rank]."""
    # Maxima are of numbers from 0: lows are counted from the other end.
    top = points.max(axis=0)
    ends = relation.maxima(np.concatenate([points, top - points], axis=1) + 1)[relation.conflicting()] - 1
    rank = points.shape[1]
    return ends[:, :rank] - (top - ends[:, rank:]) + 1


def _counted(points: Integers, dims: Sequence[int], shape: Sequence[int]) -> RunCounters | None:
    """Counters for these dimensions, if as many tasks have each."""
    sizes = tuple(shape[dim] for dim in dims)
    counters = np.zeros(len(points), np.int64)
    for dim, size in zip(dims, sizes, strict=True):
        counters = counters * size + points[:, dim]
    times = np.bincount(counters, minlength=int(np.prod(sizes, dtype=np.int64)))
    return RunCounters(tuple(dims), sizes, counters, int(times[0])) if (times == times[0]).all() else None


def _one_counter(points: Integers) -> RunCounters:
    return RunCounters((), (), np.zeros(len(points), np.int64), len(points))
