"""How the threads of the compute role share the block of a contraction."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from rammer_ir.tiling.mma_fragments import MMA_COLUMNS, STEP_ROWS
from rammer_ir.tiling.tile_sizes import THREAD_COLUMNS, thread_rows

PIECE = 4
"""Elements that a thread reads from shared memory at once."""


@dataclass(frozen=True)
class BlockShape:
    """
    A block of M x N results over chunks of `block_k` rows of W, on `threads` threads.

    Threads form `slices` groups; each sums up its own rows of every chunk, and the partial results are added at the
    end. `stages` chunks of X lie in shared memory.
    """

    block_m: int
    block_n: int
    block_k: int
    slices: int
    threads: int
    stages: int

    @property
    def slice_rows(self) -> int:
        """Rows of a chunk that one slice sums up."""
        return self.block_k // self.slices

    @property
    def elements(self) -> int:
        """Results that a thread writes."""
        return -(-self.block_m * self.block_n // self.threads)


ShapeT = TypeVar("ShapeT", bound=BlockShape)


@dataclass(frozen=True)
class ContractionShape(BlockShape):
    """Threads that compute 7 or 8 rows of 8 columns each."""

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
    def warp_m(self) -> int:
        """Threads of a warp along M: neighbours read neighbouring pieces."""
        return min(self.threads_m, 8)

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


WARP_THREADS = 32
MMA_ROWS = 16
"""Rows of X that an instruction of a tensor core takes."""


@dataclass(frozen=True)
class WarpShape(BlockShape):
    """Warps that compute tiles of 16 rows and 8 columns by tensor cores."""

    @cached_property
    def warps(self) -> tuple[int, int]:
        """Warps of a slice along M and N: so that they read least of X and W; (0, 0) if they do not fit."""
        count = self.threads // WARP_THREADS // self.slices
        fitting = [
            (along_m, count // along_m)
            for along_m in range(1, count + 1)
            if count % along_m == 0
            and self.block_m % (along_m * MMA_ROWS) == 0
            and self.block_n % (count // along_m * MMA_COLUMNS) == 0
        ]
        return min(fitting, key=lambda warps: self.block_m // warps[0] + self.block_n // warps[1], default=(0, 0))

    @property
    def tiles_m(self) -> int:
        """Tiles of a warp along M."""
        return self.block_m // self.warps[0] // MMA_ROWS

    @property
    def tiles_n(self) -> int:
        return self.block_n // self.warps[1] // MMA_COLUMNS

    @property
    def fits(self) -> bool:
        """Whether warps, slices and steps divide the block evenly."""
        return (
            self.threads % (WARP_THREADS * self.slices) == 0
            and self.warps != (0, 0)
            and self.block_k % (STEP_ROWS * self.slices) == 0
            and self.block_m * self.block_n % self.threads == 0
        )
