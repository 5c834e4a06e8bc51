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

THREAD_COLUMNS = 8
"""Columns of a contraction's result that a thread computes, on a CUDA device."""

CUDA_BLOCKS = (((64, 64, 32), 4), ((64, 128, 32), 2), ((128, 64, 32), 2), ((64, 32, 32), 8), ((32, 64, 32), 8))
"""Block shapes and slices of K for 256 threads of 8 x 8 results each."""

CUDA_ROW_BLOCKS = (
    ((128, 128, 32), 1),
    ((128, 64, 32), 2),
    ((64, 128, 32), 2),
    ((64, 64, 64), 4),
    ((32, 128, 64), 4),
    ((32, 64, 64), 8),
    ((128, 32, 32), 4),
    ((64, 32, 64), 8),
)
"""
The same where X is staged by rows: at least 8, better 16 rows of a chunk for each slice.

Of M, seven eighths are taken where that leaves fewer rows idle: images are 7, 14, 28, 56 or 112 pixels wide.
"""


MMA_BLOCKS = (
    ((128, 128, 32), 1),
    ((128, 64, 32), 1),
    ((64, 128, 32), 1),
    ((64, 64, 32), 1),
    ((64, 64, 64), 2),
    ((32, 64, 64), 4),
    ((64, 32, 64), 4),
)
"""Block shapes and slices of K for the 8 warps of tensor cores; M in sixteens."""


def mma_tiles(m: Sequence[int], n: int) -> list[ContractionTile]:
    """Tiles of a contraction for tensor cores, as `contraction_tiles` has them."""
    tiles: list[ContractionTile] = []
    for (most_m, block_n, block_k), slices in MMA_BLOCKS:
        if block_n < 2 * n or block_n <= NARROWEST["cuda"]:
            tile_m = rectangle(m, most_m)
            tiles.append(ContractionTile((most_m, block_n, block_k), slices, tile_m, min(n, block_n)))
    return [tile for tile in tiles if not any(_has_fewer_idle_rows(other, tile) for other in tiles)]


def thread_rows(block_m: int) -> int:
    """Rows of a block that a thread computes: 8, or 7 of seven eighths of a block."""
    return 7 if block_m % 7 == 0 else 8


HOST_BLOCKS = (((224, 64, 128), 1), ((224, 48, 128), 1), ((224, 32, 128), 1), ((224, 16, 128), 1))
"""
Block shapes for a core: N in whole vectors, M of whole rows of images that are 7, 14, 28, 56 or 112 wide.

The sums of a block, and the rows of X that they need for a chunk of K, fit a second-level cache.
"""


def contraction_tiles(kind: str, m: Sequence[int], n: int, *, rows: bool) -> list[ContractionTile]:
    """
    Tiles of a contraction with the given extents of M (one or two dimensions, the innermost last) and N.

    `kind` is that of the device, `rows` whether X is staged by rows. M tiles are rectangles of whole rows where they
    fit a block, evenly cut rows otherwise. Of blocks of one width that have the same tile, the lowest is taken.
    """
    tiles: list[ContractionTile] = []
    for (block_m, block_n, block_k), slices in _blocks(kind, m, n, rows=rows):
        if block_n < 2 * n or block_n <= NARROWEST[kind]:
            tile = ContractionTile((block_m, block_n, block_k), slices, rectangle(m, block_m), min(n, block_n))
            tiles.append(tile)
    return [tile for tile in tiles if not any(_has_fewer_idle_rows(other, tile) for other in tiles)]


def _has_fewer_idle_rows(tile: ContractionTile, other: ContractionTile) -> bool:
    """Whether a tile is the same as another in a lower block of the same width."""
    same = (tile.tile_m, tile.block[1]) == (other.tile_m, other.block[1])
    return same and tile.block[0] < other.block[0]


NARROWEST = {"cuda": 32, "host": 16}
"""Columns of the narrowest block: a wider one is no candidate where half of it would be idle."""

Block = tuple[tuple[int, int, int], int]
"""M, N and K of a block, and the slices of K."""


def _blocks(kind: str, m: Sequence[int], n: int, *, rows: bool) -> Iterator[Block]:
    if kind != "cuda":
        yield from _host_blocks(m, n)
    elif not rows:
        yield from CUDA_BLOCKS
    else:
        for (block_m, block_n, block_k), slices in CUDA_ROW_BLOCKS:
            fewest = min((block_m, block_m * 7 // 8), key=lambda size: (_rows_computed(m, size), -size))
            yield (fewest, block_n, block_k), slices


def _rows_computed(m: Sequence[int], block_m: int) -> int:
    """Rows of all blocks together, idle ones too."""
    tile = rectangle(m, block_m)
    return block_m * prod(-(-extent // size) for extent, size in zip(m, tile, strict=True))


FEW_TASKS = 8
"""With fewer tasks than this, cores may be idle: smaller blocks are worth considering too."""


def _host_blocks(m: Sequence[int], n: int) -> Iterator[Block]:
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


MOST_ELEMENTS = 16384
"""Of a task on a core, in its results and in all that its generics hand on to each other."""


def generic_tiles(
    extents: Sequence[int], divide: Sequence[bool], veus: int, work: int, handed_on: int
) -> Iterator[tuple[int, ...]]:
    """
    Tiles of task dimensions (outermost first) for cores: enough tasks for all, but not too little work in one.

    The best comes first, then the whole, as which every operator can be computed. `work` is the number of inner
    iterations for one element, `handed_on` the number of elements for it that lie in scratch memory, `divide` says
    where tiles must divide the extent.
    """
    elements = prod(extents)
    smallest = max(1, 16384 // max(work, 1))
    wanted = max(smallest, -(-elements // veus))
    sizes: list[int] = []
    left = min(wanted, MOST_ELEMENTS // max(handed_on, 1))
    for extent, exact in zip(reversed(extents), reversed(divide), strict=True):
        size = min(extent, max(left, 1))
        if exact:
            size = next(candidate for candidate in range(size, 0, -1) if extent % candidate == 0)
        sizes.append(size)
        left //= size
    yield tuple(reversed(sizes))
    yield tuple(extents)
