"""Where buffers lie in one arena: those that live at the same time apart, the others wherever they fit."""

import numpy as np
from numpy.typing import NDArray

from rammer_ir.scheduling.boxes import Boxes, Integers, overlapping_pairs

Meetings = NDArray[np.bool_]
"""Which buffers are in use at the same time, and so must not share bytes: a symmetric matrix of shape [n, n]."""

ATTEMPTS = 64
"""How often an order of the buffers is improved."""


def plan_offsets(sizes: Integers, meets: Meetings, alignment: int, bound: int) -> Integers:
    """
    The offset in bytes of each of n buffers of `sizes` bytes.

    Buffers are placed one after another, each where it fits best among those that it meets. Several orders are tried;
    while the arena is larger than `bound`, below which none can be, a buffer that ends highest is placed earlier.
    """
    padded = aligned_sizes(sizes, alignment)
    crowd = meets @ padded
    orders = [
        np.argsort(-padded, kind="stable"),
        np.lexsort((-padded, -crowd)),
        np.argsort(-(padded * crowd), kind="stable"),
        np.arange(len(padded)),
    ]
    best: tuple[int, Integers, Integers] | None = None
    for order in orders:
        offsets = _place(padded, meets, order)
        extent = _extent(offsets, padded)
        if best is None or extent < best[0]:
            best = extent, offsets, order
        if extent <= bound:
            return offsets
    assert best is not None
    extent, offsets, order = best
    for _ in range(ATTEMPTS):
        order = _highest_first(offsets, padded, order)
        candidate = _place(padded, meets, order)
        if _extent(candidate, padded) < extent:
            extent, offsets = _extent(candidate, padded), candidate
        if extent <= bound:
            break
    return offsets


def aligned_sizes(sizes: Integers, alignment: int) -> Integers:
    """The sizes, rounded up."""
    return -(-sizes // alignment) * alignment


def meetings(first: Integers, last: Integers) -> Meetings:
    """Which buffers meet that are in use from time `first` to time `last`, both included and of shape [n]."""
    return (first[:, None] <= last[None, :]) & (first[None, :] <= last[:, None])


def most_alive(sizes: Integers, first: Integers, last: Integers) -> int:
    """The most bytes in use at one time: no plan needs less."""
    if len(sizes) == 0:
        return 0
    change = np.zeros(int(last.max()) + 2, np.int64)
    np.add.at(change, first, sizes)
    np.add.at(change, last + 1, -sizes)
    return int(np.cumsum(change).max())


def find_overlap(offsets: Integers, sizes: Integers, meets: Meetings) -> tuple[int, int] | None:
    """Two buffers that meet and share bytes, if there are any."""
    spans = Boxes.spans(offsets, offsets + sizes)
    for i, j in overlapping_pairs(spans, spans):
        k = np.flatnonzero((i < j) & meets[i, j])
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


def _place(sizes: Integers, meets: Meetings, order: Integers) -> Integers:
    offsets = np.zeros(len(sizes), np.int64)
    placed = np.zeros(len(sizes), np.bool_)
    for buffer in order.tolist():
        others = np.flatnonzero(meets[buffer] & placed)
        offsets[buffer] = _best_fit(int(sizes[buffer]), offsets[others], sizes[others])
        placed[buffer] = True
    return offsets


def _best_fit(size: int, starts: Integers, sizes: Integers) -> int:
    """The start of the smallest gap between the taken ranges that holds `size` bytes, or the end of all."""
    order = np.argsort(starts, kind="stable")
    starts = starts[order]
    ends = np.maximum.accumulate(np.concatenate([[0], starts + sizes[order]]))
    gaps = starts - ends[:-1]
    fitting = np.flatnonzero(gaps >= size)
    return int(ends[-1] if len(fitting) == 0 else ends[fitting[np.argmin(gaps[fitting])]])
