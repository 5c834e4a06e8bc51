"""Sizes of the tiles of matrix-vector products, and of the chunks in which their matrices arrive."""

from collections.abc import Iterator
from dataclasses import dataclass

from rammer_ir.tiling.tile_sizes import THREADS

PIECE = 4
"""Neighbours along K that a thread reads at once."""

COLUMNS = (4, 8, 16, 32, 64)
"""Results of a task; few of them for small matrices, so that all vEUs get some."""

MOST_ROUNDS = 4
"""Pieces of a chunk that a thread reads: on CUDA chunks of 16 KB."""


@dataclass(frozen=True)
class MatrixVectorTile:
    """Columns of N in a task, rows of K in a chunk, and the slices of K that groups of threads sum up."""

    columns: int
    rows: int
    slices: int


def matrix_vector_tiles(kind: str, m: int, n: int, k: int) -> Iterator[MatrixVectorTile]:
    """
    Tiles of a product of `m` vectors of length `k` and a matrix of `n` columns, on a device of that kind.

    Each thread has one column, for all vectors. Chunks are as large as leaves little of the last one empty.
    """
    threads = THREADS[kind]
    for columns in COLUMNS:
        if columns * m > threads or (columns >= 2 * n and columns > COLUMNS[0]):
            continue
        slices = threads // columns
        rows = min(
            (rounds * slices * PIECE for rounds in range(MOST_ROUNDS, 0, -1)), key=lambda rows: _work(k, rows, slices)
        )
        yield MatrixVectorTile(columns, rows, slices)


def _work(k: int, rows: int, slices: int) -> float:
    """What chunks of so many rows cost, in rounds of all threads; taking a chunk costs a quarter of one."""
    chunks = -(-k // rows)
    return chunks * (rows / (slices * PIECE) + 0.25)
