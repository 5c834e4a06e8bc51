"""Sizes of tiles: pure arithmetic on extents, for contractions and for everything else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class ContractionTile:
    """A block of M x N x K, with K in `slices`; the task's tile covers at most the block."""

    block: tuple[int, int, int]
    slices: int
    tile_m: tuple[int, ...]
    tile_n: int


THREADS = {"cuda": 256, "host": 1}
"""Threads of the compute role by kind of device."""

CUDA_BLOCKS = (((64, 64, 32), 4), ((64, 128, 32), 2), ((128, 64, 32), 2), ((64, 32, 32), 8), ((32, 64, 32), 8))
"""Block shapes and slices of K for 256 threads of 8 x 8 results each."""

HOST_BLOCKS = (((224, 64, 128), 1), ((224, 48, 128), 1), ((224, 32, 128), 1), ((224, 16, 128), 1))
"""
Block shapes for a core: N in whole vectors, M of whole rows of images that are 7, 14, 28, 56 or 112 wide.

The sums of a block, and the rows of X that they need for a chunk of K, fit a second-level cache.
"""


def contraction_tiles(kind: str, m: Sequence[int], n: int) -> Iterator[ContractionTile]:
    """
    Tiles of a contraction with the given extents of M (one or two dimensions, the innermost last) and N.

    `kind` is that of the device. M tiles are rectangles of whole rows where they fit a block, evenly cut rows
    otherwise.
    """
    for (block_m, block_n, block_k), slices in CUDA_BLOCKS if kind == "cuda" else _host_blocks(m, n):
        if block_n >= 2 * n and block_n > 16:
            continue
        yield ContractionTile((block_m, block_n, block_k), slices, rectangle(m, block_m), min(n, block_n))


FEW_TASKS = 8
"""With fewer tasks than this, cores may be idle: smaller blocks are worth considering too."""


def _host_blocks(m: Sequence[int], n: int) -> Iterator[tuple[tuple[int, int, int], int]]:
    """The blocks that compute the fewest columns beyond N: the widest, and narrower ones where tasks are few."""
    padded = [-(-n // block_n) * block_n for (_, block_n, _), _ in HOST_BLOCKS]
    best = [block for block, columns in zip(HOST_BLOCKS, padded, strict=True) if columns == min(padded)]
    (block_m, block_n, _), _ = best[0]
    tasks = -(-n // block_n) * prod(-(-extent // size) for extent, size in zip(m, rectangle(m, block_m), strict=True))
    yield from best if tasks < FEW_TASKS else best[:1]


def rectangle(extents: Sequence[int], capacity: int) -> tuple[int, ...]:
    """The tile of at most `capacity` elements, innermost dimension first, cut evenly where it does not fit."""
    sizes: list[int] = []
    left = capacity
    for extent in reversed(extents):
        parts = -(-extent // max(left, 1))
        size = -(-extent // parts)
        sizes.append(size)
        left //= size
    return tuple(reversed(sizes))


def generic_tiles(
    extents: Sequence[int], divide: Sequence[bool], veus: int, work: int, kind: str
) -> Iterator[tuple[int, ...]]:
    """
    One tile of task dimensions (outermost first): enough tasks for all vEUs, but not too little work in one.

    `work` is the number of inner iterations for one element, `divide` says where tiles must divide the extent.
    """
    if kind == "cuda":
        yield min(_strips(extents, divide, veus), key=lambda tile: _strip_nanoseconds(extents, tile, veus, work))
        return
    elements = prod(extents)
    smallest = max(1, 16384 // max(work, 1))
    wanted = max(smallest, -(-elements // veus))
    sizes: list[int] = []
    left = min(wanted, 16384)
    for extent, exact in zip(reversed(extents), reversed(divide), strict=True):
        size = min(extent, max(left, 1))
        if exact:
            size = next(candidate for candidate in range(size, 0, -1) if extent % candidate == 0)
        sizes.append(size)
        left //= size
    yield tuple(reversed(sizes))


VECTOR_ELEMENTS = 4
"""Of the innermost dimension, tiles have a multiple of so many elements where it has."""

SEGMENT_ELEMENTS = 32
"""Elements of a whole segment of memory (128 bytes): tiles of larger tensors do not have fewer side by side."""

MOST_STEPS = 16384
"""Inner iterations of a task: what it hands on from one generic to the next has to fit shared memory."""

TASK_NANOSECONDS = 1300.0
"""Of a task on CUDA, whatever its size: the dispatch, and the way of the first load and of the last store."""

STEP_NANOSECONDS = 0.25
"""Of an inner iteration: about ten bytes at a vEU's share of the bandwidth of the L2."""


def _strips(extents: Sequence[int], divide: Sequence[bool], veus: int) -> Iterator[tuple[int, ...]]:
    """Tiles that cut one dimension, and perhaps the innermost too; they have 1 of those outside, all of those inside."""
    rank = len(extents)
    if rank == 0:
        yield ()
    for position in range(rank):
        outer = (1,) * position
        for size in _sizes(extents[position], veus, exact=divide[position], is_innermost=position == rank - 1):
            inner = tuple(extents[position + 1 :])
            yield (*outer, size, *inner)
            width = inner[-1] if inner else 1
            while width % (2 * VECTOR_ELEMENTS) == 0 and width >= 2 * SEGMENT_ELEMENTS:
                width //= 2
                yield (*outer, size, *inner[:-1], width)


def _sizes(extent: int, veus: int, *, exact: bool, is_innermost: bool) -> list[int]:
    """Sizes of nearly equal parts of an extent."""
    unit = VECTOR_ELEMENTS if is_innermost and extent % VECTOR_ELEMENTS == 0 else 1
    units = extent // unit
    sizes = dict.fromkeys(-(-units // parts) * unit for parts in range(1, min(units, 4 * veus) + 1))
    return [size for size in [*sizes, unit] if not exact or extent % size == 0]


def _strip_nanoseconds(extents: Sequence[int], tile: Sequence[int], veus: int, work: int) -> tuple[float, int]:
    """The time of all tasks on all vEUs, about; of equal ones the tile with fewer elements is better."""
    tasks = prod(-(-extent // size) for extent, size in zip(extents, tile, strict=True))
    steps = prod(tile) * max(work, 1)
    waves = -(-tasks // veus)
    too_large = prod(tile) > 1 and steps > MOST_STEPS
    return waves * (TASK_NANOSECONDS + steps * STEP_NANOSECONDS) + (1e12 if too_large else 0.0), -tasks
