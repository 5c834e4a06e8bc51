"""Tiles of what is bound by memory, for many threads: strips that give all vEUs a task, the quickest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

VECTOR_ELEMENTS = 4
"""A tile has a multiple of so many neighbouring elements where the tensor has."""

SEGMENT_ELEMENTS = 32
"""Elements of a whole segment of memory (128 bytes): where there is a choice, tiles do not have fewer side by side."""

MOST_ELEMENTS = 16384
"""Of what a task hands on from one generic to the next: that has to fit shared memory."""

TASK_NANOSECONDS = 1300.0
"""Of a task, whatever its size: the dispatch, and the way of the first load and of the last store."""

ELEMENT_NANOSECONDS = 0.12
"""Of an element that is read or written: four bytes at a vEU's share of the bandwidth of the L2."""

STEP_NANOSECONDS = 0.06
"""Of one of the values that are reduced into an element."""


@dataclass(frozen=True)
class Extents:
    """
    What a tile is cut from: task dimensions, outermost first.

    `divide` says where tiles must divide the extent. An element of the result takes `steps` values that are reduced,
    and `handed_on` elements of tensors that are local to its task. With `is_contiguous` elements that follow each other
    in the last dimension are neighbours in memory. `windows` are distance and length, along each dimension, of the
    windows that are read for neighbouring elements; 1 and 1 where there are none.
    """

    sizes: tuple[int, ...]
    divide: tuple[bool, ...]
    steps: int
    handed_on: int
    is_contiguous: bool
    windows: tuple[tuple[int, int], ...]


def strips(extents: Extents, veus: int) -> list[tuple[int, ...]]:
    """
    Tiles, first that which takes the least time by a simple model; of equal ones that with the most tasks.

    The last one has a single element: every operator can be cut so.
    """
    tiles = [tile for tile in _strips(extents, veus) if prod(tile) * extents.handed_on <= MOST_ELEMENTS]
    return [*sorted(tiles, key=lambda tile: _time(extents, tile, veus)), tuple(1 for _ in extents.sizes)]


def _strips(extents: Extents, veus: int) -> Iterator[tuple[int, ...]]:
    """Tiles that cut one dimension, and perhaps the last too; they have 1 of those outside, all of those inside."""
    last = len(extents.sizes) - 1
    for position, extent in enumerate(extents.sizes):
        outer = (1,) * position
        inner = extents.sizes[position + 1 :]
        unit = VECTOR_ELEMENTS if extents.is_contiguous and position == last and extent % VECTOR_ELEMENTS == 0 else 1
        for size in _parts(extent, unit, veus, exact=extents.divide[position]):
            yield (*outer, size, *inner)
            width = inner[-1] if inner else 1
            while width % (2 * SEGMENT_ELEMENTS) == 0:
                width //= 2
                yield (*outer, size, *inner[:-1], width)
    if not extents.sizes:
        yield ()


def _parts(extent: int, unit: int, veus: int, *, exact: bool) -> list[int]:
    """Sizes of nearly equal parts of an extent."""
    units = extent // unit
    counts = [*range(1, min(units, 4 * veus) + 1)]
    while counts[-1] < units:
        counts.append(min(2 * counts[-1], units))
    sizes = dict.fromkeys(-(-units // parts) * unit for parts in counts)
    return [size for size in sizes if not exact or extent % size == 0]


def _time(extents: Extents, tile: Sequence[int], veus: int) -> tuple[float, int]:
    """Nanoseconds of all tasks on all vEUs, about; and how few tasks there are."""
    tasks = prod(-(-extent // size) for extent, size in zip(extents.sizes, tile, strict=True))
    element = (1 + _reads(extents, tile)) * ELEMENT_NANOSECONDS + extents.steps * STEP_NANOSECONDS
    return -(-tasks // veus) * (TASK_NANOSECONDS + prod(tile) * element), -tasks


def _reads(extents: Extents, tile: Sequence[int]) -> float:
    """Elements that are read for one of the result, where a thread has four of a row and two rows if they divide it."""
    reads, groups = 1.0, [2, 4]
    for size, (distance, length) in zip(reversed(tile), reversed(extents.windows), strict=True):
        if length > distance:
            wanted = groups.pop() if groups else 1
            group = next(group for group in (wanted, 2, 1) if group <= wanted and size % group == 0)
            reads *= ((group - 1) * distance + length) / group
    return reads
