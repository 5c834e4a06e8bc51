"""The products of a contraction by multiply-adds: each thread holds 8 x 8 or 7 x 8 sums."""

from collections.abc import Sequence

from xdsl.dialects import math
from xdsl.dialects.builtin import UnitAttr, f32
from xdsl.ir import SSAValue

from rammer_ir.dialects.block import BodyOp, CopyOp, MemorySpace
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.contraction_body import ContractionBody
from rammer_ir.lowering.bodies.contraction_shape import PIECE, ContractionShape
from rammer_ir.lowering.bodies.contraction_stages import ThreadStaging
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.from_block.structure import IN_ORDER_ATTRIBUTE
from rammer_ir.tiling.tile_sizes import THREAD_COLUMNS


class FmaContractionBody(ContractionBody[ContractionShape]):
    """
    Threads form slices of K; each thread sums its rows and columns in registers.

    Its ops stand in the order in which they had best be issued.
    """

    def __init__(
        self,
        view: KernelView,
        roles: ContractionAttr,
        builder: BodyBuilder,
        staged: ThreadStaging,
    ) -> None:
        super().__init__(view, roles, builder, staged)
        self.staged = staged

    @property
    def sums_shape(self) -> list[int]:
        results = [self.shape.thread_m, THREAD_COLUMNS]
        return list(reversed(results)) if self.epilogue.m_is_fast else results

    @property
    def chunk_shape(self) -> list[int]:
        return [self.shape.block_k, self.shape.block_n]

    def build(self) -> BodyOp:
        body = super().build()
        body.attributes[IN_ORDER_ATTRIBUTE] = UnitAttr()
        return body

    def _order(self, at_m: SSAValue, at_n: SSAValue) -> tuple[SSAValue, SSAValue]:
        """Indices of the array of sums: the direction in which results are neighbours in memory comes last."""
        return (at_n, at_m) if self.epilogue.m_is_fast else (at_m, at_n)

    def _thread_place(self, thread: SSAValue) -> tuple[SSAValue, SSAValue, SSAValue]:
        """
        Slice, and place along M and N, of a thread.

        In a warp, two neighbouring lanes share their place along M, and the next lanes follow along M: 16-byte reads of
        shared memory cost most where lanes that read the same address are 8 apart.
        """
        shape, write = self.shape, self.builder.write
        slice_ = write.divide(thread, write.index(shape.slice_threads))
        rest = write.modulo(thread, write.index(shape.slice_threads))
        warps_m = shape.threads_m // shape.warp_m
        warp = write.divide(rest, write.index(32))
        lane = write.modulo(rest, write.index(32))
        along_m = write.modulo(write.divide(lane, write.index(2)), write.index(shape.warp_m))
        high_n = write.times(write.divide(lane, write.index(2 * shape.warp_m)), write.index(2))
        along_n = write.plus(write.modulo(lane, write.index(2)), high_n)
        block_m = write.times(write.modulo(warp, write.index(warps_m)), write.index(shape.warp_m))
        block_n = write.times(write.divide(warp, write.index(warps_m)), write.index(32 // shape.warp_m))
        return slice_, write.plus(block_m, along_m), write.plus(block_n, along_n)

    def multiply(self, weights: SSAValue, chunk: SSAValue) -> None:
        """
        The products of one chunk: fragments of the next rows are read while those of this one are multiplied.

        Copies of a later chunk start behind the first reads, whose latency they hide.
        """
        shape, write = self.shape, self.builder.write
        with self.threads() as thread:
            slice_, at_m, at_n = self._thread_place(thread)
            first = write.times(slice_, write.index(shape.slice_rows))
            place = [write.modulo(chunk, write.index(shape.stages)), first]
            x = write.allocate(self.staged.fragment_shape, f32, MemorySpace.THREAD)
            w = write.allocate([2, THREAD_COLUMNS], f32, MemorySpace.THREAD)
            self.staged.read_first(x, place, at_m)
            self._read_weights(weights, [first, write.index(0)], at_n, w, 0)
            self.staged.copy_next(thread, write.plus(chunk, write.index(shape.stages - 1)))
            with write.loop(write.index(0), write.index(shape.slice_rows // 2), unroll=True) as pair:
                for row in range(2):
                    self.staged.read_ahead(x, place, at_m, pair, row)
                    following = write.plus(write.times(pair, write.index(2)), write.index(row + 1))
                    with write.when(write.less(following, write.index(shape.slice_rows))):
                        self._read_weights(weights, [first, following], at_n, w, (row + 1) % 2)
                    self._multiply_row(x, w, pair, row)

    def _read_weights(
        self, weights: SSAValue, row: Sequence[SSAValue], at_n: SSAValue, fragment: SSAValue, half: int
    ) -> None:
        """Pieces of a row: neighbouring threads read neighbouring pieces, so that banks do not conflict."""
        write = self.builder.write
        for number in range(0, THREAD_COLUMNS, PIECE):
            source = [write.plus(*row), self._place_n(at_n, number)]
            write.add(CopyOp(PIECE, weights, source, fragment, [write.index(half), write.index(number)]))

    def _place_n(self, at_n: SSAValue, number: int) -> SSAValue:
        """The column of the block in which the piece that starts at a thread's column `number` lies."""
        write = self.builder.write
        thread = write.plus(at_n, write.index(number // PIECE * self.shape.threads_n))
        return write.times(thread, write.index(PIECE))

    def _multiply_row(self, x: SSAValue, w: SSAValue, pair: SSAValue, row: int) -> None:
        """
        The products of a row of K, to and fro along N.

        So two neighbours share an operand that need not be read from the registers again, of which only so many can be
        read at once.
        """
        write = self.builder.write
        thread_m = self.shape.thread_m

        def multiply(at_m: SSAValue, *, is_backward: bool) -> None:
            with write.loop(write.index(0), write.index(THREAD_COLUMNS), unroll=True) as step:
                at_n = write.minus(write.index(THREAD_COLUMNS - 1), step) if is_backward else step
                place = self._order(at_m, at_n)
                factors = self.staged.element(x, pair, row, at_m), write.load(w, write.index(row), at_n)
                product = write.add(math.FmaOp(*factors, write.load(self.sums, *place)))
                write.store(product.result, self.sums, *place)

        with write.loop(write.index(0), write.index(thread_m // 2), unroll=True) as half:
            first = write.times(half, write.index(2))
            multiply(first, is_backward=row == 1)
            multiply(write.plus(first, write.index(1)), is_backward=row == 0)
        if thread_m % 2:
            multiply(write.index(thread_m - 1), is_backward=row == 1)

    def store_partial(self, partial: SSAValue) -> None:
        write = self.builder.write
        with self.threads() as thread:
            slice_, at_m, at_n = self._thread_place(thread)
            with write.loop(write.index(0), write.index(self.shape.thread_m), unroll=True) as number:
                row = self.staged.place_m(at_m, number)
                for first in range(0, THREAD_COLUMNS, PIECE):
                    column = self._place_n(at_n, first)
                    if self.epilogue.m_is_fast:
                        for step in range(PIECE):
                            value = write.load(self.sums, write.index(first + step), number)
                            write.store(value, partial, slice_, write.plus(column, write.index(step)), row)
                    else:
                        source = [number, write.index(first)]
                        write.add(CopyOp(PIECE, self.sums, source, partial, [slice_, row, column]))
