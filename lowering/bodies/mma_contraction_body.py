"""The products of a contraction by tensor cores: each warp holds the sums of a few tiles of 16 x 8."""

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import f32
from xdsl.ir import SSAValue

from rammer_ir.dialects.block import CopyOp, MemorySpace, MmaOp, RoundTf32Op
from rammer_ir.dialects.mma_operands import FactorFormat
from rammer_ir.dialects.rop_attributes import Arithmetic
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.contraction_body import ContractionBody
from rammer_ir.lowering.bodies.contraction_shape import MMA_ROWS, WARP_THREADS, WarpShape
from rammer_ir.lowering.bodies.contraction_warp_rows import StagedWarpRows
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.tiling.mma_fragments import LANE_ROWS, MMA_COLUMNS, STEP_ROWS, fragment_shape

HALF_TILE = MMA_ROWS // 2
"""Rows between the two that a lane has of a tile."""

PAIR = 2
"""Neighbouring columns of sums that a lane has."""


class MmaContractionBody(ContractionBody[WarpShape]):
    """
    Warps form slices of K; a lane takes four neighbours along K of each of its rows and columns at once.

    An instruction takes two of them, in the places of rows t and t + 4 of its factors: in which order products are
    summed up is free, if X and W have the same.
    """

    def __init__(
        self,
        view: KernelView,
        roles: ContractionAttr,
        builder: BodyBuilder,
        staged: StagedWarpRows,
        arithmetic: Arithmetic,
    ) -> None:
        super().__init__(view, roles, builder, staged)
        self.takes_parts = arithmetic is Arithmetic.THREE_TF32

    @property
    def sums_shape(self) -> list[int]:
        return [self.shape.tiles_m, self.shape.tiles_n, 4]

    @property
    def chunk_shape(self) -> list[int]:
        return fragment_shape(self.shape.block_k, self.shape.block_n)

    def _warp_place(self, thread: SSAValue) -> tuple[SSAValue, SSAValue, SSAValue]:
        """The slice of a thread's warp, and the first row and column of its tiles in the block."""
        shape, write = self.shape, self.builder.write
        along_m, along_n = shape.warps
        warp = write.divide(thread, write.index(WARP_THREADS))
        slice_ = write.divide(warp, write.index(along_m * along_n))
        number = write.modulo(warp, write.index(along_m * along_n))
        row = write.times(write.modulo(number, write.index(along_m)), write.index(shape.tiles_m * MMA_ROWS))
        column = write.times(write.divide(number, write.index(along_m)), write.index(shape.tiles_n * MMA_COLUMNS))
        return slice_, row, column

    def _lane_place(self, thread: SSAValue) -> tuple[SSAValue, SSAValue]:
        """Which row of a tile of X, or column of W, and which part along K, or columns of sums, a lane has."""
        write = self.builder.write
        lane = write.modulo(thread, write.index(WARP_THREADS))
        lanes = write.index(STEP_ROWS // LANE_ROWS)
        return write.divide(lane, lanes), write.modulo(lane, lanes)

    def multiply(self, weights: SSAValue, chunk: SSAValue) -> None:
        shape, write = self.shape, self.builder.write
        with self.threads() as thread:
            slice_, first_row, first_column = self._warp_place(thread)
            group, part = self._lane_place(thread)
            first_k = write.times(slice_, write.index(shape.slice_rows))
            stage = write.modulo(chunk, write.index(shape.stages))
            self.staged.copy_next(thread, write.plus(chunk, write.index(shape.stages - 1)))
            with write.unrolled(shape.slice_rows // STEP_ROWS) as (step,):
                k = write.plus(first_k, write.times(step, write.index(STEP_ROWS)))
                x = self._read_x([stage, write.plus(first_row, group)], write.plus(k, self._of_part(part)))
                w = self._read_w(weights, write.divide(k, write.index(STEP_ROWS)), first_column, [group, part])
                self._multiply_step(x, w)

    def _of_part(self, part: SSAValue) -> SSAValue:
        return self.builder.write.times(part, self.builder.write.index(LANE_ROWS))

    def _read_x(self, place: Sequence[SSAValue], k: SSAValue) -> SSAValue:
        """A lane's part of X for a step: for each tile, two rows of four neighbours."""
        write = self.builder.write
        stage, row = place
        x = write.allocate([self.shape.tiles_m, 2, LANE_ROWS], f32, MemorySpace.THREAD)
        with write.unrolled(self.shape.tiles_m, 2) as (tile, half):
            offset = write.plus(write.times(tile, write.index(MMA_ROWS)), write.times(half, write.index(HALF_TILE)))
            source = [stage, write.plus(row, offset), k]
            write.add(CopyOp(LANE_ROWS, self.staged.stages, source, x, [tile, half, write.index(0)]))
        return x

    def _read_w(self, weights: SSAValue, step: SSAValue, first_column: SSAValue, lane: Sequence[SSAValue]) -> SSAValue:
        """A lane's part of W for a step: four neighbours of a column of each tile."""
        write = self.builder.write
        w = write.allocate([self.shape.tiles_n, LANE_ROWS], f32, MemorySpace.THREAD)
        first = write.divide(first_column, write.index(MMA_COLUMNS))
        with write.unrolled(self.shape.tiles_n) as (tile,):
            source = [step, write.plus(first, tile), *lane, write.index(0)]
            write.add(CopyOp(LANE_ROWS, weights, source, w, [tile, write.index(0)]))
        return w

    def _multiply_step(self, x: SSAValue, w: SSAValue) -> None:
        write = self.builder.write
        rest_x = self._split(x, [self.shape.tiles_m, 2, LANE_ROWS])
        rest_w = self._split(w, [self.shape.tiles_n, LANE_ROWS]) if self.takes_parts else None
        with write.unrolled(2, self.shape.tiles_m, self.shape.tiles_n) as (pair, tile_m, tile_n):
            if rest_x is not None and rest_w is not None:
                # The smallest products first.
                self._multiply_tile(rest_x, w, pair, tile_m, tile_n)
                self._multiply_tile(x, rest_w, pair, tile_m, tile_n)
            self._multiply_tile(x, w, pair, tile_m, tile_n)

    def _split(self, factors: SSAValue, shape: Sequence[int]) -> SSAValue | None:
        """Rounds factors in their place; with parts, the array of what is left of them."""
        write = self.builder.write
        rest = write.allocate(shape, f32, MemorySpace.THREAD) if self.takes_parts else None
        with write.unrolled(*shape) as place:
            value = write.load(factors, *place)
            rounded = write.add(RoundTf32Op(value)).result
            write.store(rounded, factors, *place)
            if rest is not None:
                left = write.add(arith.SubfOp(value, rounded)).result
                write.store(write.add(RoundTf32Op(left)).result, rest, *place)
        return rest

    def _multiply_tile(self, x: SSAValue, w: SSAValue, pair: SSAValue, tile_m: SSAValue, tile_n: SSAValue) -> None:
        write = self.builder.write
        first = write.times(pair, write.index(2))
        along_k = [first, write.plus(first, write.index(1))]
        factors_x = [write.load(x, tile_m, write.index(half), k) for k in along_k for half in range(2)]
        factors_w = [write.load(w, tile_n, k) for k in along_k]
        sums = [write.load(self.sums, tile_m, tile_n, write.index(number)) for number in range(4)]
        product = write.add(MmaOp(FactorFormat.TF32, factors_x, factors_w, sums))
        for number, value in enumerate(product.results):
            write.store(value, self.sums, tile_m, tile_n, write.index(number))

    def store_partial(self, partial: SSAValue) -> None:
        shape, write = self.shape, self.builder.write
        with self.threads() as thread:
            slice_, first_row, first_column = self._warp_place(thread)
            group, part = self._lane_place(thread)
            column_of_lane = write.plus(first_column, write.times(part, write.index(PAIR)))
            with write.unrolled(shape.tiles_m, shape.tiles_n, 2) as (tile_m, tile_n, half):
                offset = write.plus(
                    write.times(tile_m, write.index(MMA_ROWS)), write.times(half, write.index(HALF_TILE))
                )
                row = write.plus(first_row, group, offset)
                column = write.plus(column_of_lane, write.times(tile_n, write.index(MMA_COLUMNS)))
                first = write.times(half, write.index(PAIR))
                if not self.epilogue.m_is_fast:
                    write.add(CopyOp(PAIR, self.sums, [tile_m, tile_n, first], partial, [slice_, row, column]))
                else:
                    for step in range(PAIR):
                        value = write.load(self.sums, tile_m, tile_n, write.plus(first, write.index(step)))
                        write.store(value, partial, slice_, write.plus(column, write.index(step)), row)
