"""The block-form code of a matrix-vector product: see `convert-matrix-vector-to-block` for its plan."""

from collections.abc import Sequence
from typing import cast

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import FloatAttr, MemRefType, NoneAttr, StringAttr, TensorType, f32
from xdsl.ir import Attribute, OpResult, SSAValue

from rammer_ir.dialects.block import (
    BarrierOp,
    BodyOp,
    CopyOp,
    Level,
    MemorySpace,
    RingPushOp,
    RingReleaseOp,
    RingWaitOp,
)
from rammer_ir.dialects.rop import Combiner, GenericOp
from rammer_ir.dialects.rtask import MatrixVectorAttr
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.generic_code import GenericCode
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.loop_correspondence import corresponding_loops
from rammer_ir.lowering.bodies.matrix_vector_operand import VectorStaging
from rammer_ir.lowering.bodies.matrix_vector_shape import MatrixVectorShape
from rammer_ir.lowering.bodies.writer import neutral_element
from rammer_ir.tiling.matrix_vector_tiles import PIECE


class _PreloadedCode(GenericCode):
    """Reads some operands from arrays of one element, into which they were loaded before."""

    def __init__(self, view: KernelView, builder: BodyBuilder, symbols: Sequence[SSAValue]) -> None:
        super().__init__(view, builder, symbols)
        self.preloaded: dict[tuple[GenericOp, int], SSAValue] = {}

    def read(self, generic: GenericOp, position: int, dims: Sequence[SSAValue]) -> SSAValue:
        array = self.preloaded.get((generic, position))
        if array is None:
            return super().read(generic, position, dims)
        return self.builder.write.load(array, self.builder.write.index(0))


class MatrixVectorBody:
    """Writes the body of one matrix-vector kernel. Its operands: tensors read, tensors written."""

    def __init__(
        self, view: KernelView, roles: MatrixVectorAttr, shape: MatrixVectorShape, builder: BodyBuilder
    ) -> None:
        self.view = view
        self.roles = roles
        self.shape = shape
        self.builder = builder
        self.first = view.generics[0]
        self.root = view.generics[-1]
        self.symbols = self._symbols()
        self.code = _PreloadedCode(view, builder, self.symbols)
        self.staging = VectorStaging(view, roles, builder, shape, self.code)
        self.extents_m = [builder.parameter(self.first.bounds[dim]) for dim in roles.m]
        self.tile_n = builder.parameter(self.first.bounds[roles.n])

    def build(self) -> BodyOp:
        shape, write = self.shape, self.builder.write
        staged = write.allocate([shape.staged_elements], f32, MemorySpace.SHARED)
        partial = write.allocate([shape.slices, shape.results], f32, MemorySpace.SHARED)
        sums = write.allocate([shape.vectors, PIECE], f32, MemorySpace.THREAD)
        self._load_operands()
        self._clear(sums)
        if shape.panels == 1:
            self.staging.write(staged, write.index(0))
            self._multiply_panel(staged, sums, self.builder.parameter(shape.chunks))
        else:
            self._multiply_panels(staged, sums)
        self._store_partial(sums, partial)
        self._write_results(partial)
        self._write_service()
        return self.builder.finish("matrix_vector")

    def _symbols(self) -> list[SSAValue]:
        coordinates = self.builder.coordinates(self.view.kernel.grid)
        return [*coordinates, *([self.builder.iteration] * self.view.kernel.loops)]

    def _clear(self, sums: SSAValue) -> None:
        write = self.builder.write
        with write.parallel(Level.THREAD, write.index(self.shape.threads)):
            zero = write.constant(FloatAttr(0.0, f32))
            with write.loop(write.index(0), write.index(self.shape.vectors), unroll=True) as vector:
                for rest in range(PIECE):
                    write.store(zero, sums, vector, write.index(rest))

    def _multiply_panels(self, staged: SSAValue, sums: SSAValue) -> None:
        """Panel after panel; a barrier before each, for all have read the one before."""
        write = self.builder.write
        chunks = self.builder.parameter(self.shape.chunks)
        panel_chunks = self.builder.parameter(self.shape.panel_chunks)
        with write.loop(write.index(0), self.builder.parameter(self.shape.panels)) as panel:
            write.add(BarrierOp())
            self.staging.write(staged, write.times(panel, self.staging.panel_rows))
            left = write.minus(chunks, write.times(panel, panel_chunks))
            is_last = write.less(left, panel_chunks)
            self._multiply_panel(staged, sums, write.select(is_last, left, panel_chunks))

    def _multiply_panel(self, staged: SSAValue, sums: SSAValue, chunks: SSAValue) -> None:
        """The products of a panel; the ring alone holds threads back, there are no barriers."""
        shape, write = self.shape, self.builder.write
        with write.loop(write.index(0), chunks) as chunk:
            slot = write.add(RingWaitOp(self._slot_type())).chunk
            with write.parallel(Level.THREAD, write.index(shape.threads)) as thread:
                slice_ = write.divide(thread, write.index(shape.columns))
                first = write.plus(write.times(chunk, write.index(shape.rows)), write.times(slice_, write.index(PIECE)))
                w = write.allocate([PIECE], f32, MemorySpace.THREAD)
                x = write.allocate([PIECE], f32, MemorySpace.THREAD)
                with write.loop(write.index(0), write.index(shape.rounds), unroll=True) as number:
                    write.add(CopyOp(PIECE, slot, [number, thread, write.index(0)], w, [write.index(0)]))
                    row = write.plus(first, write.times(number, write.index(shape.round_rows)))
                    with write.loop(write.index(0), write.index(shape.vectors), unroll=True) as vector:
                        place = write.plus(write.times(vector, self.staging.panel_rows), row)
                        write.add(CopyOp(PIECE, staged, [place], x, [write.index(0)]))
                        self._multiply_piece(x, w, sums, vector)
            write.add(RingReleaseOp())

    def _multiply_piece(self, x: SSAValue, w: SSAValue, sums: SSAValue, vector: SSAValue) -> None:
        """A sum for each element of a piece: products that follow each other do not wait for each other."""
        write = self.builder.write
        for rest in map(write.index, range(PIECE)):
            product = math.FmaOp(write.load(x, rest), write.load(w, rest), write.load(sums, vector, rest))
            write.store(write.add(product).result, sums, vector, rest)

    def _slot_type(self) -> MemRefType[Attribute]:
        shape = [self.shape.rounds, self.shape.threads, PIECE]
        return MemRefType(f32, shape, NoneAttr(), StringAttr(MemorySpace.SHARED.value))

    def _store_partial(self, sums: SSAValue, partial: SSAValue) -> None:
        """Each thread leaves its sums in shared memory."""
        shape, write = self.shape, self.builder.write
        with write.parallel(Level.THREAD, write.index(shape.threads)) as thread:
            slice_ = write.divide(thread, write.index(shape.columns))
            column = write.modulo(thread, write.index(shape.columns))
            with write.loop(write.index(0), write.index(shape.vectors), unroll=True) as vector:
                values = [write.load(sums, vector, write.index(rest)) for rest in range(PIECE)]
                while len(values) > 1:
                    values = [
                        write.add(arith.AddfOp(left, right)).result
                        for left, right in zip(values[::2], values[1::2], strict=True)
                    ]
                place = write.plus(write.times(vector, write.index(shape.columns)), column)
                write.store(values[0], partial, slice_, place)
        write.add(BarrierOp())

    def _place(self, result: SSAValue) -> tuple[list[SSAValue], SSAValue]:
        """Loop indices of the first generic for a result of the tile, and whether it exists."""
        write = self.builder.write
        vector = write.divide(result, write.index(self.shape.columns))
        column = write.modulo(result, write.index(self.shape.columns))
        loops: list[SSAValue] = [write.index(0)] * len(self.first.bounds)
        for dim, index in zip(self.roles.m, write.decode(vector, self.extents_m), strict=True):
            loops[dim] = index
        loops[self.roles.n] = column
        dims = corresponding_loops(self.view.generics, self.root, loops, write.index(0))
        conditions = [write.less(column, self.tile_n)]
        for value, map_attr in zip(self.root.res, self.root.output_maps, strict=True):
            conditions += self.code.in_range(self.root, map_attr.data, value.type, dims)
        return loops, write.all_of(conditions)

    def _load_operands(self) -> None:
        """Starts the loads of what the element-wise generics read; zero for results that do not exist."""
        write = self.builder.write
        reads = [
            (generic, position, cast("TensorType[Attribute]", value.type).element_type)
            for generic in self.view.generics[1:]
            for position, value in enumerate(generic.inputs)
            if self.view.read_number(value) is not None
        ]
        arrays = [write.allocate([1], kind, MemorySpace.THREAD) for _, _, kind in reads]
        if not reads:
            return
        with write.parallel(Level.THREAD, write.index(self.shape.results)) as result:
            loops, exists = self._place(result)
            for (generic, position, kind), array in zip(reads, arrays, strict=True):
                dims = corresponding_loops(self.view.generics, generic, loops, write.index(0))
                value = write.choose(
                    exists,
                    lambda generic=generic, position=position, dims=dims: self.code.read(generic, position, dims),
                    lambda kind=kind: write.constant(neutral_element(Combiner.ADD, kind)),
                    kind,
                )
                write.store(value, array, write.index(0))
        self.code.preloaded = {
            (generic, position): array for (generic, position, _), array in zip(reads, arrays, strict=True)
        }

    def _write_results(self, partial: SSAValue) -> None:
        """Adds up the slices in their order, applies the element-wise generics and writes what exists."""
        write = self.builder.write
        with write.parallel(Level.THREAD, write.index(self.shape.results)) as result:
            loops, exists = self._place(result)
            total = write.load(partial, write.index(0), result)
            for slice_ in range(1, self.shape.slices):
                total = write.add(arith.AddfOp(total, write.load(partial, write.index(slice_), result))).result
            self.code.local[self.first.res[0]] = lambda _: total
            for value in (value for generic in self.view.generics[1:-1] for value in generic.res):
                self.code.local[value] = self.code.evaluate_in_place(cast("OpResult", value))
            dims = corresponding_loops(self.view.generics, self.root, loops, write.index(0))
            values = [total] if self.root is self.first else self.code.evaluate(self.root, dims)
            with write.when(exists):
                for value, written, map_attr in zip(values, self.root.res, self.root.output_maps, strict=True):
                    address = self.code.address(self.root, map_attr.data, written.type, dims)
                    write.store(value, self._target(written), address)

    def _target(self, value: OpResult) -> SSAValue:
        written = self.view.kernel.written_arguments
        number = next(i for i, argument in enumerate(written) if argument is self.root.into[value.index])
        return self.builder.operand(len(self.view.kernel.reads) + number)

    def _write_service(self) -> None:
        """The service role pushes the task's chunks of W, which follow one another in the packed weight."""
        with self.builder.in_service():
            write = self.builder.write
            symbols = self._symbols()
            chunks = self.builder.parameter(self.roles.chunks)
            first = self.builder.index(
                self.view.start_address(self.first, self.roles.w), [], symbols, ([], self.view.symbol_ranges)
            )
            number = self.view.read_number(self.first.inputs[self.roles.w])
            assert number is not None, "a matrix-vector product reads operands of its kernel"
            weights = self.builder.operand(number)
            with write.loop(write.index(0), chunks) as chunk:
                address = write.plus(first, write.times(chunk, write.index(self.shape.chunk_elements)))
                write.add(RingPushOp(self.shape.chunk_elements, weights, address))
