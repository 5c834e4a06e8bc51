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


THREADS = {"cuda": 256, "host": 64}
"""Threads of the compute role by kind of device; on the host they are iterations of one."""

CUDA_BLOCKS = (((64, 64, 32), 4), ((64, 128, 32), 2), ((128, 64, 32), 2), ((64, 32, 32), 8), ((32, 64, 32), 8))
"""Block shapes and slices of K for 256 threads of 8 x 8 results each."""

HOST_BLOCKS = (((64, 64, 32), 1), ((64, 32, 32), 1), ((64, 16, 32), 1))
"""Block shapes for 64 iterations of 8 x 8 results."""


def contraction_tiles(kind: str, m: Sequence[int], n: int) -> Iterator[ContractionTile]:
    """
    Tiles of a contraction with the given extents of M (one or two dimensions, the innermost last) and N.

    `kind` is that of the device. M tiles are rectangles of whole rows where they fit a block, evenly cut rows
    otherwise.
    """
    blocks = CUDA_BLOCKS if kind == "cuda" else HOST_BLOCKS
    for (block_m, block_n, block_k), slices in blocks:
        if block_n >= 2 * n and block_n > 16:
            continue
        yield ContractionTile((block_m, block_n, block_k), slices, rectangle(m, block_m), min(n, block_n))


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
    elements = prod(extents)
    smallest = max(1, (2048 if kind == "cuda" else 16384) // max(work, 1))
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
