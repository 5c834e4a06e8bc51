"""How the threads of the compute role share a matrix-vector product."""

from dataclasses import dataclass

from rammer_ir.tiling.matrix_vector_tiles import PIECE

MOST_STAGED = 16384
"""Elements of X in shared memory at once: with them, on an H100, 144 KB are left for the weight ring."""

FEWEST_STAGED = 4096
"""Arrays for X have sizes that are powers of two from here on, so that kernels share bodies."""


@dataclass(frozen=True)
class MatrixVectorShape:
    """
    A tile of `columns` results for each of `vectors` vectors, on `columns` x `slices` threads.

    Chunks have `rows` of K; in each of its rounds a thread takes `PIECE` rows of its column. X is staged in panels of
    `panel_chunks` chunks; there are `panels`.
    """

    vectors: int
    columns: int
    rows: int
    slices: int
    chunks: int

    @property
    def threads(self) -> int:
        return self.columns * self.slices

    @property
    def round_rows(self) -> int:
        """Rows of K that all threads together take at a time."""
        return self.slices * PIECE

    @property
    def rounds(self) -> int:
        return self.rows // self.round_rows

    @property
    def chunk_elements(self) -> int:
        return self.rows * self.columns

    @property
    def panel_chunks(self) -> int:
        return min(self.chunks, MOST_STAGED // (self.vectors * self.rows))

    @property
    def panels(self) -> int:
        return -(-self.chunks // self.panel_chunks)

    @property
    def panel_rows(self) -> int:
        """Rows of K in a panel: elements of X between two staged vectors."""
        return self.panel_chunks * self.rows

    @property
    def staged_elements(self) -> int:
        """The size of the array that holds a panel of X."""
        return max(FEWEST_STAGED, 1 << (self.vectors * self.panel_rows - 1).bit_length())

    @property
    def results(self) -> int:
        return self.vectors * self.columns

    def fits(self, threads: int) -> bool:
        """Whether so many threads divide the chunks evenly, as the body takes for granted."""
        return (
            self.threads == threads
            and self.rows % self.round_rows == 0
            and self.results <= threads
            and self.vectors * self.rows <= MOST_STAGED
        )
