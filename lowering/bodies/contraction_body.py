"""The block-form code of a contraction: see `convert-contraction-to-block` for its plan."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from math import prod

from xdsl.dialects import math
from xdsl.dialects.builtin import FloatAttr, MemRefType, NoneAttr, StringAttr, UnitAttr, f32
from xdsl.ir import Attribute, SSAValue

from rammer_ir.dialects.block import (
    BarrierOp,
    BodyOp,
    CommitCopiesOp,
    CopyOp,
    Level,
    MemorySpace,
    RingPushOp,
    RingReleaseOp,
    RingWaitOp,
    WaitCopiesOp,
)
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.contraction_epilogue import ContractionEpilogue
from rammer_ir.lowering.bodies.contraction_shape import PIECE, ContractionShape
from rammer_ir.lowering.bodies.contraction_stages import StagedInput
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.tiling.tile_sizes import THREAD_COLUMNS

IN_ORDER = "block.in_order"
"""Attribute of a body whose ops stand in the order in which they had best be issued."""

STAGES = 3
"""Chunks of X in shared memory: one being computed on, the others on their way."""


class ContractionBody:
    """Writes the body of one contraction kernel. Its operands: tensors read, the table of taps, tensors written."""

    def __init__(
        self,
        view: KernelView,
        roles: ContractionAttr,
        shape: ContractionShape,
        builder: BodyBuilder,
        staging: type[StagedInput],
    ) -> None:
        self.view = view
        self.builder = builder
        self.generic = view.generics[0]
        self.roles = roles
        self.shape = shape
        symbols = self._symbols()
        self.epilogue = ContractionEpilogue(view, roles, builder, shape, symbols)
        self.x = staging(view, roles, shape, builder, symbols, self.epilogue)

    def build(self) -> BodyOp:
        shape, write = self.shape, self.builder.write
        partial = write.allocate(self.epilogue.partial_shape, f32, MemorySpace.SHARED)
        results = [shape.thread_m, THREAD_COLUMNS]
        self.sums = write.allocate(
            list(reversed(results)) if self.epilogue.m_is_fast else results, f32, MemorySpace.THREAD
        )
        self._start()
        with write.loop(write.index(0), self.x.chunks) as chunk:
            weights = write.add(RingWaitOp(self._slot_type())).chunk
            write.add(WaitCopiesOp(shape.stages - 2))
            write.add(BarrierOp())
            self._multiply(weights, chunk)
            write.add(CommitCopiesOp())
            write.add(RingReleaseOp())
        write.add(WaitCopiesOp(0))
        # Behind this barrier the partial sums may lie where the chunks were.
        write.add(BarrierOp())
        self._store_partial(partial)
        self.epilogue.write(partial)
        self._write_service()
        body = self.builder.finish("contraction")
        body.attributes[IN_ORDER] = UnitAttr()
        return body

    def _symbols(self) -> list[SSAValue]:
        coordinates = self.builder.coordinates(self.view.kernel.grid)
        return [*coordinates, *([self.builder.iteration] * self.view.kernel.loops)]

    def _slot_type(self) -> MemRefType[Attribute]:
        shape = [self.shape.block_k, self.shape.block_n]
        return MemRefType(f32, shape, NoneAttr(), StringAttr(MemorySpace.SHARED.value))

    @contextmanager
    def _threads(self) -> Generator[SSAValue]:
        write = self.builder.write
        with write.parallel(Level.THREAD, write.index(self.shape.threads)) as thread:
            yield thread

    def _start(self) -> None:
        """What each thread knows of its part of X, sums of zero, and the first chunks' copies."""
        write = self.builder.write
        with self._threads() as thread:
            self.x.describe(thread)
            zero = write.constant(FloatAttr(0.0, f32))
            with write.loop(write.index(0), write.index(self.shape.thread_m), unroll=True) as at_m:
                with write.loop(write.index(0), write.index(THREAD_COLUMNS), unroll=True) as at_n:
                    write.store(zero, self.sums, *self._order(at_m, at_n))
        for number in range(self.shape.stages - 1):
            with self._threads() as thread:
                self.x.copy_first(thread, number)
            write.add(CommitCopiesOp())

    def _order(self, at_m: SSAValue, at_n: SSAValue) -> tuple[SSAValue, SSAValue]:
        """Indices of the array of sums: the direction in which results are neighbours in memory comes last."""
        return (at_n, at_m) if self.epilogue.m_is_fast else (at_m, at_n)

    def _operand_of(self, position: int) -> int:
        number = self.view.read_number(self.generic.inputs[position])
        assert number is not None, "a contraction reads operands of its kernel"
        return number

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

    def _multiply(self, weights: SSAValue, chunk: SSAValue) -> None:
        """
        The products of one chunk: fragments of the next rows are read while those of this one are multiplied.

        Copies of a later chunk start behind the first reads, whose latency they hide.
        """
        shape, write = self.shape, self.builder.write
        with self._threads() as thread:
            slice_, at_m, at_n = self._thread_place(thread)
            first = write.times(slice_, write.index(shape.slice_rows))
            place = [write.modulo(chunk, write.index(shape.stages)), first]
            x = write.allocate(self.x.fragment_shape, f32, MemorySpace.THREAD)
            w = write.allocate([2, THREAD_COLUMNS], f32, MemorySpace.THREAD)
            self.x.read_first(x, place, at_m)
            self._read_weights(weights, [first, write.index(0)], at_n, w, 0)
            self.x.copy_next(thread, write.plus(chunk, write.index(shape.stages - 1)))
            with write.loop(write.index(0), write.index(shape.slice_rows // 2), unroll=True) as pair:
                for row in range(2):
                    self.x.read_ahead(x, place, at_m, pair, row)
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
                factors = self.x.element(x, pair, row, at_m), write.load(w, write.index(row), at_n)
                product = write.add(math.FmaOp(*factors, write.load(self.sums, *place)))
                write.store(product.result, self.sums, *place)

        with write.loop(write.index(0), write.index(thread_m // 2), unroll=True) as half:
            first = write.times(half, write.index(2))
            multiply(first, is_backward=row == 1)
            multiply(write.plus(first, write.index(1)), is_backward=row == 0)
        if thread_m % 2:
            multiply(write.index(thread_m - 1), is_backward=row == 1)

    def _store_partial(self, partial: SSAValue) -> None:
        """Each thread leaves its sums in shared memory, in the order in which results are written."""
        write = self.builder.write
        with self._threads() as thread:
            slice_, at_m, at_n = self._thread_place(thread)
            with write.loop(write.index(0), write.index(self.shape.thread_m), unroll=True) as number:
                row = self.x.place_m(at_m, number)
                for first in range(0, THREAD_COLUMNS, PIECE):
                    column = self._place_n(at_n, first)
                    if self.epilogue.m_is_fast:
                        for step in range(PIECE):
                            value = write.load(self.sums, write.index(first + step), number)
                            write.store(value, partial, slice_, write.plus(column, write.index(step)), row)
                    else:
                        source = [number, write.index(first)]
                        write.add(CopyOp(PIECE, self.sums, source, partial, [slice_, row, column]))
        write.add(BarrierOp())

    def _write_service(self) -> None:
        """The service role pushes the task's chunks of W, which follow one another in the packed weight."""
        with self.builder.in_service():
            write = self.builder.write
            symbols = self._symbols()
            chunks = self.builder.parameter(self.roles.chunks)
            size = write.index(prod([self.shape.block_k, self.shape.block_n]))
            first = self.builder.index(
                self.view.start_address(self.generic, self.roles.w), [], symbols, ([], self.view.symbol_ranges)
            )
            weights = self.builder.operand(self._operand_of(self.roles.w))
            with write.loop(write.index(0), chunks) as chunk:
                address = write.plus(first, write.times(chunk, size))
                write.add(RingPushOp(self.shape.block_k * self.shape.block_n, weights, address))
