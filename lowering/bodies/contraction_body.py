"""The block-form code of a contraction: see `convert-contraction-to-block` for its plan."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from math import prod
from typing import cast

from xdsl.dialects import math
from xdsl.dialects.builtin import FloatAttr, MemRefType, NoneAttr, StringAttr, TensorType, f32, i32
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.block import (
    BarrierOp,
    BodyOp,
    CommitCopiesOp,
    CopyAsyncOp,
    CopyOp,
    Level,
    MemorySpace,
    RingPushOp,
    RingReleaseOp,
    RingWaitOp,
    WaitCopiesOp,
)
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.indexing.linear import linear_form
from rammer_ir.indexing.simplify import linearize
from rammer_ir.indexing.sums import additive_terms, sum_of
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.contraction_epilogue import ContractionEpilogue
from rammer_ir.lowering.bodies.contraction_shape import PIECE, THREAD_TILE, ContractionShape
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.tap_table import FIELDS, x_parts

STAGES = 3
"""Chunks of X in shared memory: one being computed on, the others on their way."""

RowReader = Callable[[SSAValue], tuple[SSAValue, SSAValue]]
"""Gives the address in X of a row of the chunk, and whether it is to be read."""


class ContractionBody:
    """Writes the body of one contraction kernel. Its operands: tensors read, the table of taps, tensors written."""

    def __init__(self, view: KernelView, roles: ContractionAttr, shape: ContractionShape, builder: BodyBuilder) -> None:
        self.view = view
        self.builder = builder
        self.generic = view.generics[0]
        self.roles = roles
        self.shape = shape
        self.symbols = self._symbols()
        self.epilogue = ContractionEpilogue(view, roles, builder, shape, self.symbols)

    def build(self) -> BodyOp:
        shape, write = self.shape, self.builder.write
        stages = write.allocate([shape.stages, shape.block_k, shape.block_m], f32, MemorySpace.SHARED)
        partial = write.allocate(self.epilogue.partial_shape, f32, MemorySpace.SHARED)
        sums = write.allocate([THREAD_TILE, THREAD_TILE], f32, MemorySpace.THREAD)
        chunks = self.builder.parameter(self.roles.chunks)
        extents = cast("TensorType[Attribute]", self.generic.inputs[self.roles.x].type).get_shape()
        self.checked_extents = [self.builder.parameter(extents[dim]) for dim in self.roles.checked]
        if self.roles.channels:
            self.channel_stride = self.builder.parameter(self._channel_stride())
        self.column = write.allocate([2 + len(self.roles.checked)], i32, MemorySpace.THREAD)
        self._start(stages, sums, chunks)
        with write.loop(write.index(0), chunks) as chunk:
            weights = write.add(RingWaitOp(self._slot_type())).chunk
            write.add(WaitCopiesOp(shape.stages - 2))
            write.add(BarrierOp())
            ahead = write.plus(chunk, write.index(shape.stages - 1))
            self._copy_chunk(stages, ahead, chunks)
            self._multiply(stages, weights, sums, chunk)
            write.add(RingReleaseOp())
        write.add(WaitCopiesOp(0))
        self._store_partial(sums, partial)
        self.epilogue.write(partial)
        self._write_service()
        return self.builder.finish("contraction")

    def _symbols(self) -> list[SSAValue]:
        coordinates = self.builder.coordinates(self.view.kernel.grid)
        return [*coordinates, *([self.builder.iteration] * self.view.kernel.loops)]

    def _slot_type(self) -> MemRefType[Attribute]:
        shape = [self.shape.block_k, self.shape.block_n]
        return MemRefType(f32, shape, NoneAttr(), StringAttr(MemorySpace.SHARED.value))

    def _start(self, stages: SSAValue, sums: SSAValue, chunks: SSAValue) -> None:
        """What each thread knows of its column of X, sums of zero, and the first chunks' copies."""
        write = self.builder.write
        with write.parallel(Level.THREAD, write.index(self.shape.threads)) as thread:
            self._describe_column(write.modulo(thread, write.index(self.shape.block_m)))
            zero = write.constant(FloatAttr(0.0, f32))
            with self._each_result() as (outer, inner):
                write.store(zero, sums, outer, inner)
        for stage in range(self.shape.stages - 1):
            self._copy_chunk(stages, write.index(stage), chunks)

    def _describe_column(self, column: SSAValue) -> None:
        """
        Stores, for the column of X that a thread copies, the address and the checked indices of tap 0, and whether the
        column exists. A column is one index of M.
        """
        write = self.builder.write
        dims = self._loops_of_column(column)
        exists = write.all_of(self.epilogue.column_conditions(column, dims))
        parts = [self._of_m(part, dims) for part in x_parts(self.view, self.roles)]
        for position, part in enumerate([*parts, write.select(exists, write.index(1), write.index(0))]):
            write.store(write.as_i32(part), self.column, write.index(position))

    @contextmanager
    def _each_result(self) -> Generator[tuple[SSAValue, SSAValue]]:
        """Loops over a thread's results, spelled out."""
        write = self.builder.write
        size = write.index(THREAD_TILE)
        with write.loop(write.index(0), size, unroll=True) as outer:
            with write.loop(write.index(0), size, unroll=True) as inner:
                yield outer, inner

    def _copy_chunk(self, stages: SSAValue, chunk: SSAValue, chunks: SSAValue) -> None:
        """Starts the copies of one chunk of X and closes their group. Past the last chunk nothing is read."""
        shape, write = self.shape, self.builder.write
        with write.parallel(Level.THREAD, write.index(shape.threads)) as thread:
            column = write.modulo(thread, write.index(shape.block_m))
            first_row = write.divide(thread, write.index(shape.block_m))
            stage = write.modulo(chunk, write.index(shape.stages))
            parts = [
                write.as_index(write.load(self.column, write.index(i)))
                for i in range(len(x_parts(self.view, self.roles)) + 1)
            ]
            more = write.less(chunk, chunks)
            exists = write.all_of([more, write.less(write.index(0), parts.pop())])
            if self.roles.channels:
                rows = self._rows_of_one_tap(parts, self._tap(chunk, more), exists)
            else:
                rows = self._rows_of_their_own_taps(parts, chunk, more, exists)
            x = self.builder.operand(self._operand_of(self.roles.x))
            with write.loop(write.index(0), write.index(shape.copies), unroll=True) as copy:
                row = write.plus(first_row, write.times(copy, write.index(shape.copy_rows)))
                address, inside = rows(row)
                write.add(CopyAsyncOp(1, x, [address], stages, [stage, row, column], inside))
        write.add(CommitCopiesOp())

    def _rows_of_one_tap(self, parts: Sequence[SSAValue], tap: Sequence[SSAValue], exists: SSAValue) -> RowReader:
        write = self.builder.write
        inside = write.all_of([exists, *self._checks(parts, tap)])
        start, stride = write.plus(parts[0], tap[0]), self.channel_stride

        def read(row: SSAValue) -> tuple[SSAValue, SSAValue]:
            address = write.plus(start, write.times(row, stride))
            return address, write.all_of([inside, write.less(row, tap[-1])])

        return read

    def _rows_of_their_own_taps(
        self, parts: Sequence[SSAValue], chunk: SSAValue, more: SSAValue, exists: SSAValue
    ) -> RowReader:
        write = self.builder.write
        first = write.times(chunk, write.index(self.shape.block_k))

        def read(row: SSAValue) -> tuple[SSAValue, SSAValue]:
            tap = self._tap(write.plus(first, row), more)
            checks = [exists, *self._checks(parts, tap), write.less(write.index(0), tap[-1])]
            return write.plus(parts[0], tap[0]), write.all_of(checks)

        return read

    def _operand_of(self, position: int) -> int:
        number = self.view.read_number(self.generic.inputs[position])
        assert number is not None, "a contraction reads operands of its kernel"
        return number

    def _channel_stride(self) -> int:
        """Elements of X between neighbours along the last of the reduced loops."""
        last = self.roles.k[-1]
        form = linear_form(
            sum_of([term for term in additive_terms(x_parts(self.view, self.roles)[0]) if last in term.used_dims()])
        )
        assert form is not None, "channels are evenly spaced"
        return form.dims[last]

    def _tap(self, entry: SSAValue, exists: SSAValue) -> list[SSAValue]:
        """An entry of the table: offset in X, offsets of the checked indices, number of rows; entry 0 past the end."""
        write = self.builder.write
        table = self.builder.operand(len(self.view.kernel.reads))
        fields = write.allocate([FIELDS], i32, MemorySpace.THREAD)
        known = write.select(exists, entry, write.index(0))
        address = write.times(known, write.index(FIELDS))
        write.add(CopyOp(FIELDS, table, [address], fields, [write.index(0)]))
        return [write.as_index(write.load(fields, write.index(field))) for field in range(FIELDS)]

    def _checks(self, parts: Sequence[SSAValue], tap: Sequence[SSAValue]) -> list[SSAValue]:
        """Conditions for a tap to lie in X, in the dimensions that may be left."""
        write = self.builder.write
        return [
            write.in_range(write.plus(part, offset), extent)
            for part, offset, extent in zip(parts[1:], tap[1:], self.checked_extents, strict=False)
        ]

    def _loops_of_column(self, column: SSAValue) -> list[SSAValue]:
        """Indices of the first generic's loops for a column of the block: those of M; all others 0."""
        write = self.builder.write
        loops: list[SSAValue] = [write.index(0)] * len(self.generic.bounds)
        extents = [self.builder.parameter(self.generic.bounds[dim]) for dim in self.roles.m]
        for dim, index in zip(self.roles.m, write.decode(column, extents), strict=True):
            loops[dim] = index
        return loops

    def _of_m(self, expression: AffineExpr, dims: Sequence[SSAValue]) -> SSAValue:
        """The terms that do not depend on the reduced loops."""
        reduced = set(self.roles.k)
        terms = [term for term in additive_terms(expression) if not term.used_dims() & reduced]
        return self.builder.index(sum_of(terms), dims, self.symbols, self.view.ranges(self.generic))

    def _thread_place(self, thread: SSAValue) -> tuple[SSAValue, SSAValue, SSAValue]:
        """
        Slice, and place along M and N, of a computing thread.

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

    def _multiply(self, stages: SSAValue, weights: SSAValue, sums: SSAValue, chunk: SSAValue) -> None:
        """The products of one chunk: fragments of the next row are read while those of this one are multiplied."""
        shape, write = self.shape, self.builder.write
        with write.parallel(Level.THREAD, write.index(shape.computing_threads)) as thread:
            slice_, at_m, at_n = self._thread_place(thread)
            stage = write.modulo(chunk, write.index(shape.stages))
            first = write.times(slice_, write.index(shape.slice_rows))
            x = write.allocate([2, THREAD_TILE], f32, MemorySpace.THREAD)
            w = write.allocate([2, THREAD_TILE], f32, MemorySpace.THREAD)

            def read(row: SSAValue) -> None:
                half = write.modulo(row, write.index(2))
                inner = write.plus(first, row)
                self._read_fragment(stages, [stage, inner], shape.threads_m, at_m, x, half)
                self._read_fragment(weights, [inner], shape.threads_n, at_n, w, half)

            read(write.index(0))
            with write.loop(write.index(0), write.index(shape.slice_rows), unroll=True) as row:
                following = write.plus(row, write.index(1))
                with write.when(write.less(following, write.index(shape.slice_rows))):
                    read(following)
                self._multiply_row(x, w, sums, write.modulo(row, write.index(2)))

    def _read_fragment(
        self,
        array: SSAValue,
        row: Sequence[SSAValue],
        threads: int,
        thread: SSAValue,
        fragment: SSAValue,
        half: SSAValue,
    ) -> None:
        """Two pieces of a row: neighbouring threads read neighbouring pieces, so that banks do not conflict."""
        write = self.builder.write
        for piece in range(THREAD_TILE // PIECE):
            place = write.times(write.plus(thread, write.index(piece * threads)), write.index(PIECE))
            write.add(CopyOp(PIECE, array, [*row, place], fragment, [half, write.index(piece * PIECE)]))

    def _multiply_row(self, x: SSAValue, w: SSAValue, sums: SSAValue, half: SSAValue) -> None:
        write = self.builder.write
        with self._each_result() as (outer, inner):
            at_m, at_n = (inner, outer) if self.epilogue.m_is_fast else (outer, inner)
            product = math.FmaOp(write.load(x, half, at_m), write.load(w, half, at_n), write.load(sums, outer, inner))
            write.store(write.add(product).result, sums, outer, inner)

    def _store_partial(self, sums: SSAValue, partial: SSAValue) -> None:
        """Each thread leaves its sums in shared memory, in the order in which results are written."""
        shape, write = self.shape, self.builder.write
        with write.parallel(Level.THREAD, write.index(shape.computing_threads)) as thread:
            slice_, at_m, at_n = self._thread_place(thread)
            fast, slow = (at_m, at_n) if self.epilogue.m_is_fast else (at_n, at_m)
            fast_threads, slow_threads = shape.threads_m, shape.threads_n
            if not self.epilogue.m_is_fast:
                fast_threads, slow_threads = slow_threads, fast_threads
            for slow_piece in range(THREAD_TILE // PIECE):
                with write.loop(write.index(0), write.index(PIECE), unroll=True) as inner:
                    start = write.times(write.plus(slow, write.index(slow_piece * slow_threads)), write.index(PIECE))
                    outer = write.plus(write.index(slow_piece * PIECE), inner)
                    for piece in range(THREAD_TILE // PIECE):
                        place = write.times(write.plus(fast, write.index(piece * fast_threads)), write.index(PIECE))
                        source = [outer, write.index(piece * PIECE)]
                        write.add(CopyOp(PIECE, sums, source, partial, [slice_, write.plus(start, inner), place]))
        write.add(BarrierOp())

    def _write_service(self) -> None:
        """The service role pushes the task's chunks of W, which follow one another in the packed weight."""
        with self.builder.in_service():
            write = self.builder.write
            symbols = self._symbols()
            chunks = self.builder.parameter(self.roles.chunks)
            size = write.index(prod([self.shape.block_k, self.shape.block_n]))
            first = self.builder.index(self._first_chunk(), [], symbols, ([], self.view.symbol_ranges))
            weights = self.builder.operand(self._operand_of(self.roles.w))
            with write.loop(write.index(0), chunks) as chunk:
                address = write.plus(first, write.times(chunk, size))
                write.add(RingPushOp(self.shape.block_k * self.shape.block_n, weights, address))

    def _first_chunk(self) -> AffineExpr:
        """The address of the task's first chunk of W: that of its loops' start."""
        w_map = self.generic.input_maps[self.roles.w].data
        shape = cast("TensorType[Attribute]", self.generic.inputs[self.roles.w].type).get_shape()
        linear = linearize(w_map, shape, *self.view.ranges(self.generic)).results[0]
        zeros = [AffineExpr.constant(0)] * len(self.generic.bounds)
        symbols = [AffineExpr.symbol(position) for position in range(w_map.num_symbols)]
        return linear.replace_dims_and_symbols(zeros, symbols)
