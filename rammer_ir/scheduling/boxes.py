"""Boxes of elements as arrays, and which of them overlap."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

PAIRS_AT_ONCE = 1 << 21
"""Candidate pairs that a search holds in memory at a time."""

FEW_PAIRS = 1 << 10
"""So few pairs are compared one by one: that is faster than to look for candidates."""


@dataclass(frozen=True)
class Boxes:
    """
    `n` boxes of one tensor: box `i` holds the indices with `low[i] <= index < high[i]` in every dimension.

    Both arrays have the shape [n, rank]. A box is empty where some `high <= low`.
    """

    low: Integers
    high: Integers

    @classmethod
    def clipped(cls, origins: Integers, sizes: Sequence[int], shape: Sequence[int]) -> Self:
        """Boxes of one size at `origins`, shape [n, rank], without what lies out of a tensor of the given shape."""
        high = np.minimum(origins + np.asarray(sizes, np.int64), np.asarray(shape, np.int64))
        return cls(np.maximum(origins, 0), high)

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Self:
        """One box: a whole tensor."""
        high = np.array([shape], np.int64).reshape(1, len(shape))
        return cls(np.zeros_like(high), high)

    @classmethod
    def spans(cls, low: Integers, high: Integers) -> Self:
        """One-dimensional boxes from their ends, both of shape [n]."""
        return cls(low[:, None], high[:, None])

    def __len__(self) -> int:
        return self.low.shape[0]

    @property
    def rank(self) -> int:
        return self.low.shape[1]

    def take(self, indices: Integers) -> "Boxes":
        """The boxes at these positions."""
        return Boxes(self.low[indices], self.high[indices])

    def empty(self) -> NDArray[np.bool_]:
        """Which boxes hold nothing, shape [n]."""
        return np.any(self.high <= self.low, axis=1)

    def volumes(self) -> Integers:
        """The number of elements of each box, shape [n]."""
        return np.maximum(self.high - self.low, 0).prod(axis=1)

    def hull(self) -> "Boxes":
        """The smallest box around all that are not empty: one box, or none."""
        if len(self) == 1 and (self.low < self.high).all():
            return self
        full = self.take(np.flatnonzero(~self.empty()))
        if len(full) == 0:
            return full
        return Boxes(full.low.min(axis=0, keepdims=True), full.high.max(axis=0, keepdims=True))

    def addresses(self, shape: Sequence[int]) -> "Boxes":
        """The hull of each box in a dense row-major tensor: one-dimensional boxes of element addresses."""
        strides = np.ones(len(shape), np.int64)
        for dim in range(len(shape) - 2, -1, -1):
            strides[dim] = strides[dim + 1] * shape[dim + 1]
        first = self.low @ strides
        last = (self.high - 1) @ strides + 1
        return Boxes.spans(first, np.where(self.empty(), first, last))


def concatenate(parts: Sequence[Boxes]) -> Boxes:
    """All boxes of the parts, which have one rank, in order."""
    return Boxes(np.concatenate([part.low for part in parts]), np.concatenate([part.high for part in parts]))


def overlapping_pairs(first: Boxes, second: Boxes) -> Iterator[tuple[Integers, Integers]]:
    """
    All pairs (i, j) with an element in both `first[i]` and `second[j]`, in portions of two arrays of equal length.

    Candidates come from the dimension that excludes most; its search is a sort and two binary searches.
    """
    if len(first) * len(second) <= FEW_PAIRS:
        yield from _pairs_of_few(first, second)
        return
    numbers = np.flatnonzero(~first.empty())
    others = np.flatnonzero(~second.empty())
    first, second = first.take(numbers), second.take(others)
    if len(first) == 0 or len(second) == 0:
        return
    order, starts, ends = _candidates(first, second)
    counts = ends - starts
    totals = np.cumsum(counts)
    begin = 0
    while begin < len(counts):
        done = totals[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(totals, done + PAIRS_AT_ONCE, side="right")))
        part = counts[begin:end]
        j = np.repeat(np.arange(begin, end), part)
        within = np.arange(int(part.sum())) - np.repeat(np.cumsum(part) - part, part)
        i = order[np.repeat(starts[begin:end], part) + within]
        meet = np.ones(len(i), np.bool_)
        for dim in range(first.rank):
            meet &= first.low[i, dim] < second.high[j, dim]
            meet &= second.low[j, dim] < first.high[i, dim]
        if meet.any():
            yield numbers[i[meet]], others[j[meet]]
        begin = end


def _pairs_of_few(first: Boxes, second: Boxes) -> Iterator[tuple[Integers, Integers]]:
    low = np.maximum(first.low[:, None], second.low[None])
    high = np.minimum(first.high[:, None], second.high[None])
    # The common part of boxes is empty if one of them is.
    i, j = np.nonzero((low < high).all(axis=2))
    if len(i):
        yield i, j


def _candidates(first: Boxes, second: Boxes) -> tuple[Integers, Integers, Integers]:
    """An order of `first`, and for each of `second` the part [start, end) of it that may overlap."""
    everything: Integers = np.arange(len(first))
    best = everything, np.zeros(len(second), np.int64), np.full(len(second), len(first))
    fewest = len(first) * len(second)
    for dim in range(first.rank):
        low, high = first.low[:, dim], first.high[:, dim]
        order = np.argsort(low, kind="stable")
        width = int((high - low).max())
        starts: Integers = np.searchsorted(low[order], second.low[:, dim] - width, side="right")
        ends: Integers = np.maximum(np.searchsorted(low[order], second.high[:, dim], side="left"), starts)
        count = int((ends - starts).sum())
        if count < fewest:
            best, fewest = (order, starts, ends), count
    return best


def covered_volumes(wanted: Boxes, given: Boxes, wanted_times: Integers, given_times: Integers) -> Integers:
    """
    How many elements of each wanted box, shape [n], lie in the given boxes whose time is before its own.

    The given boxes must not overlap each other.
    """
    volumes = np.zeros(len(wanted), np.int64)
    for i, j in overlapping_pairs(wanted, given):
        earlier = given_times[j] < wanted_times[i]
        i, j = i[earlier], j[earlier]
        low = np.maximum(wanted.low[i], given.low[j])
        high = np.minimum(wanted.high[i], given.high[j])
        np.add.at(volumes, i, (high - low).prod(axis=1))
    return volumes
