"""Where buffers lie in one arena: those that live at the same time apart, the others wherever they fit."""

import numpy as np
from numpy.typing import NDArray

from rammer_ir.scheduling.boxes import Boxes, Integers, overlapping_pairs

ATTEMPTS = 64
"""How often an order of the buffers is improved."""


def plan_offsets(sizes: Integers, first: Integers, last: Integers, alignment: int) -> Integers:
    """
    The offset in bytes of each buffer of `sizes` bytes, in use from time `first` to time `last`, both included.

    Buffers are placed one after another, each where it fits best among those in use at the same time. Several orders
    are tried; while the arena is larger than what lives at one time, a buffer that ends highest is placed earlier.
    All arrays have the shape [n].
    """
    padded = -(-sizes // alignment) * alignment
    meets = (first[:, None] <= last[None, :]) & (first[None, :] <= last[:, None])
    bound = most_alive(padded, first, last)
    duration = last - first + 1
    orders = [
        np.lexsort((first, -padded)),
        np.lexsort((-padded, -duration)),
        np.argsort(-(padded * duration), kind="stable"),
        np.lexsort((-padded, first)),
    ]
    plans = [(_place(padded, meets, order), order) for order in orders]
    offsets, order = min(plans, key=lambda plan: _extent(plan[0], padded))
    for _ in range(ATTEMPTS):
        if _extent(offsets, padded) <= bound:
            break
        order = _highest_first(offsets, padded, order)
        candidate = _place(padded, meets, order)
        if _extent(candidate, padded) < _extent(offsets, padded):
            offsets = candidate
    return offsets


def most_alive(sizes: Integers, first: Integers, last: Integers) -> int:
    """The most bytes in use at one time: no plan needs less."""
    if len(sizes) == 0:
        return 0
    change = np.zeros(int(last.max()) + 2, np.int64)
    np.add.at(change, first, sizes)
    np.add.at(change, last + 1, -sizes)
    return int(np.cumsum(change).max())


def find_overlap(offsets: Integers, sizes: Integers, first: Integers, last: Integers) -> tuple[int, int] | None:
    """Two buffers that share bytes at some time, if there are any."""
    areas = Boxes(np.stack([first, offsets], axis=1), np.stack([last + 1, offsets + sizes], axis=1))
    for i, j in overlapping_pairs(areas, areas):
        k = np.flatnonzero(i < j)
        if len(k):
            return int(i[k[0]]), int(j[k[0]])
    return None


def _extent(offsets: Integers, sizes: Integers) -> int:
    return int((offsets + sizes).max(initial=0))


def _highest_first(offsets: Integers, sizes: Integers, order: Integers) -> Integers:
    """The order with the buffer that ends highest moved to half of its place."""
    highest = int(np.argmax(offsets + sizes))
    place = int(np.flatnonzero(order == highest)[0])
    return np.insert(np.delete(order, place), place // 2, highest)


def _place(sizes: Integers, meets: NDArray[np.bool_], order: Integers) -> Integers:
    offsets = np.zeros(len(sizes), np.int64)
    placed: list[int] = []
    for buffer in order.tolist():
        others = np.array([other for other in placed if meets[buffer, other]], np.int64)
        offsets[buffer] = _best_fit(int(sizes[buffer]), offsets[others], sizes[others])
        placed.append(buffer)
    return offsets


def _best_fit(size: int, starts: Integers, sizes: Integers) -> int:
    """The start of the smallest gap between the taken ranges that holds `size` bytes, or the end of all."""
    order = np.argsort(starts, kind="stable")
    starts = starts[order]
    ends = np.maximum.accumulate(np.concatenate([[0], starts + sizes[order]]))
    gaps = starts - ends[:-1]
    fitting = np.flatnonzero(gaps >= size)
    return int(ends[-1] if len(fitting) == 0 else ends[fitting[np.argmin(gaps[fitting])]])
