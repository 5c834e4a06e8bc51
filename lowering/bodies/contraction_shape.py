"""How the threads of the compute role share the block of a contraction."""

from dataclasses import dataclass

from rammer_ir.tiling.tile_sizes import THREAD_COLUMNS, thread_rows

PIECE = 4
"""Elements that a thread reads from shared memory at once."""


@dataclass(frozen=True)
class ContractionShape:
    """
    A block of M x N results over chunks of `block_k` rows of W, on `threads` threads.

    Threads form `slices` groups; each sums up its own rows of every chunk, and the partial results are added at the
    end. A thread computes 7 or 8 rows of 8 columns.
    """

    block_m: int
    block_n: int
    block_k: int
    slices: int
    threads: int
    stages: int

    @property
    def thread_m(self) -> int:
        """Rows that a thread computes."""
        return thread_rows(self.block_m)

    @property
    def threads_m(self) -> int:
        """Threads of a slice along M."""
        return self.block_m // self.thread_m

    @property
    def threads_n(self) -> int:
        return self.block_n // THREAD_COLUMNS

    @property
    def slice_threads(self) -> int:
        return self.threads_m * self.threads_n

    @property
    def slice_rows(self) -> int:
        """Rows of a chunk that one slice sums up."""
        return self.block_k // self.slices

    @property
    def warp_m(self) -> int:
        """Threads of a warp along M: neighbours read neighbouring pieces."""
        return min(self.threads_m, 8)

    @property
    def elements(self) -> int:
        """Results that a thread writes."""
        return -(-self.block_m * self.block_n // self.threads)

    @property
    def fits(self) -> bool:
        """Whether threads, warps and slices divide the block evenly, as the body takes for granted."""
        is_one_warp = self.slice_threads <= 32 and self.threads_m == self.warp_m
        return (
            self.block_m % self.thread_m == 0
            and self.block_n % (2 * THREAD_COLUMNS) == 0
            and self.block_k % (2 * self.slices) == 0
            and self.block_m * self.block_n % self.threads == 0
            and self.slice_threads * self.slices == self.threads
            and 16 % self.warp_m == 0
            and (is_one_warp or (self.threads_m % self.warp_m == 0 and self.threads_n % (32 // self.warp_m) == 0))
        )
