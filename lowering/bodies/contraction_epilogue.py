"""The end of a contraction: partial sums are added, the element-wise rest is applied, results are written."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import cast

from xdsl.dialects import arith
from xdsl.dialects.builtin import TensorType, i32
from xdsl.ir import Attribute, OpResult, SSAValue

from rammer_ir.dialects.block import BarrierOp, Level, MemorySpace
from rammer_ir.dialects.rop import Combiner, GenericOp
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.indexing.linear import linear_form
from rammer_ir.indexing.simplify import linearize
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.contraction_shape import ContractionShape
from rammer_ir.lowering.bodies.generic_code import GenericCode
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.loop_correspondence import corresponding_loops
from rammer_ir.lowering.bodies.writer import neutral_element


class _StagedCode(GenericCode):
    """Reads operands from arrays that were filled before: all loads are under way before the first is used."""

    def __init__(self, view: KernelView, builder: BodyBuilder, symbols: Sequence[SSAValue]) -> None:
        super().__init__(view, builder, symbols)
        self.staged: dict[tuple[GenericOp, int], SSAValue] = {}
        self.element: SSAValue | None = None

    def read(self, generic: GenericOp, position: int, dims: Sequence[SSAValue]) -> SSAValue:
        array = self.staged.get((generic, position))
        if array is None or self.element is None:
            return super().read(generic, position, dims)
        return self.builder.write.load(array, self.element)


class ContractionEpilogue:
    """
    Writes the results of a contraction kernel from partial sums in shared memory.

    Results that are neighbours in memory are written by neighbouring threads: along M (`m_is_fast`) or along N.
    """

    def __init__(
        self,
        view: KernelView,
        roles: ContractionAttr,
        builder: BodyBuilder,
        shape: ContractionShape,
        symbols: Sequence[SSAValue],
    ) -> None:
        self.view = view
        self.builder = builder
        self.shape = shape
        self.roles = roles
        self.first = view.generics[0]
        self.rest = view.generics[1:]
        self.root = view.generics[-1]
        self.code = _StagedCode(view, builder, symbols)
        self.m_is_fast = self._is_contiguous_along_m()
        self.extents_m = [builder.parameter(self.first.bounds[dim]) for dim in self.roles.m]
        self.tile_m = builder.parameter(prod(self.first.bounds[dim] for dim in self.roles.m))
        self.tile_n = builder.parameter(self.first.bounds[self.roles.n])

    @property
    def partial_shape(self) -> list[int]:
        """Slices, then the block with the fast dimension last."""
        block = [self.shape.block_n, self.shape.block_m]
        return [self.shape.slices, *(block if self.m_is_fast else reversed(block))]

    def _is_contiguous_along_m(self) -> bool:
        shape = self.root.res[0].type.get_shape()
        linear = linearize(self.root.output_maps[0].data, shape, *self.view.ranges(self.root)).results[0]
        form = linear_form(linear)
        fast = self.roles.m[-1]
        names: list[int | None] = corresponding_loops(
            self.view.generics, self.root, list(range(len(self.first.bounds))), None
        )
        return form is not None and fast in names and form.dims.get(names.index(fast)) == 1

    def column_conditions(self, column: SSAValue, loops: Sequence[SSAValue]) -> list[SSAValue]:
        """Conditions for a column of the block to be an index of M whose results are written."""
        write = self.builder.write
        conditions = [write.less(column, self.tile_m)]
        dims = corresponding_loops(self.view.generics, self.root, loops, write.index(0))
        n_loop = corresponding_loops(self.view.generics, self.root, list(range(len(loops))), -1).index(self.roles.n)
        for value, map_attr in zip(self.root.res, self.root.output_maps, strict=True):
            for result, extent in self.code.unsure_dimensions(self.root, map_attr.data, value.type):
                if n_loop not in result.used_dims():
                    index = self.builder.index(result, dims, self.code.symbols, self.view.ranges(self.root))
                    conditions.append(write.in_range(index, self.builder.parameter(extent)))
        return conditions

    def write(self, partial: SSAValue) -> None:
        """Adds up the partial sums, applies the element-wise generics and writes the results."""
        self._read_operands()
        self.builder.write.add(BarrierOp())
        write = self.builder.write
        with write.parallel(Level.THREAD, write.index(self.shape.threads)) as thread:
            with write.loop(write.index(0), write.index(self.shape.elements), unroll=True) as element:
                loops, _, place = self._place(thread, element)
                total = self._total(partial, place)
                self.code.local = {self.first.res[0]: lambda _: total}
                for result in (result for generic in self.rest[:-1] for result in generic.res):
                    self.code.local[result] = self.code.evaluate_in_place(cast("OpResult", result))
                self.code.element = element
                self._write_element(loops, element, total)

    def _write_element(self, loops: Sequence[SSAValue], element: SSAValue, total: SSAValue) -> None:
        write = self.builder.write
        dims = corresponding_loops(self.view.generics, self.root, loops, write.index(0))
        values = [total] if self.root is self.first else self.code.evaluate(self.root, dims)
        exists = write.as_index(write.load(self.exists, element))
        with write.when(write.less(write.index(0), exists)):
            for value, result, map_attr in zip(values, self.root.res, self.root.output_maps, strict=True):
                address = self.code.address(self.root, map_attr.data, result.type, dims)
                write.store(value, self._target(result), address)

    def _write_conditions(self, dims: Sequence[SSAValue]) -> list[SSAValue]:
        maps = zip(self.root.res, self.root.output_maps, strict=True)
        return [
            condition
            for value, map_attr in maps
            for condition in self.code.in_range(self.root, map_attr.data, value.type, dims)
        ]

    def _target(self, value: SSAValue) -> SSAValue:
        result = cast("OpResult", value)
        written = self.view.kernel.written_arguments
        number = next(i for i, argument in enumerate(written) if argument is self.root.into[result.index])
        return self.builder.operand(len(self.view.kernel.reads) + 1 + number)

    def _place(self, thread: SSAValue, element: SSAValue) -> tuple[list[SSAValue], list[SSAValue], list[SSAValue]]:
        """Loop indices of the first generic for a thread's result, conditions for it to exist, place in the block."""
        shape, write = self.shape, self.builder.write
        linear = write.plus(write.times(element, write.index(shape.threads)), thread)
        fast_extent = shape.block_m if self.m_is_fast else shape.block_n
        fast = write.modulo(linear, write.index(fast_extent))
        slow = write.divide(linear, write.index(fast_extent))
        at_m, at_n = (fast, slow) if self.m_is_fast else (slow, fast)
        loops: list[SSAValue] = [write.index(0)] * len(self.first.bounds)
        for dim, index in zip(self.roles.m, write.decode(at_m, self.extents_m), strict=True):
            loops[dim] = index
        loops[self.roles.n] = at_n
        return loops, [write.less(at_m, self.tile_m), write.less(at_n, self.tile_n)], [slow, fast]

    def _total(self, partial: SSAValue, place: Sequence[SSAValue]) -> SSAValue:
        write = self.builder.write
        total = write.load(partial, write.index(0), *place)
        for slice_ in range(1, self.shape.slices):
            total = write.add(arith.AddfOp(total, write.load(partial, write.index(slice_), *place))).result
        return total

    def _operands_read(self) -> Iterator[tuple[GenericOp, int]]:
        for generic in self.rest:
            for position, value in enumerate(generic.inputs):
                if self.view.read_number(value) is not None:
                    yield generic, position

    def _read_operands(self) -> None:
        """
        Loads what the element-wise generics read into arrays of each thread, zero where nothing is written, and notes
        which of the thread's results exist.
        """
        reads = list(self._operands_read())
        write = self.builder.write
        self.exists = write.allocate([self.shape.elements], i32, MemorySpace.THREAD)
        for generic, position in reads:
            kind = cast("TensorType[Attribute]", generic.inputs[position].type).element_type
            self.code.staged[generic, position] = write.allocate([self.shape.elements], kind, MemorySpace.THREAD)
        with write.parallel(Level.THREAD, write.index(self.shape.threads)) as thread:
            with write.loop(write.index(0), write.index(self.shape.elements), unroll=True) as element:
                loops, conditions, _ = self._place(thread, element)
                dims = corresponding_loops(self.view.generics, self.root, loops, write.index(0))
                exists = write.all_of([*conditions, *self._write_conditions(dims)])
                write.store(write.as_i32(write.select(exists, write.index(1), write.index(0))), self.exists, element)
                for generic, position in reads:
                    self._read_operand(generic, position, loops, exists, element)

    def _read_operand(
        self, generic: GenericOp, position: int, loops: Sequence[SSAValue], exists: SSAValue, element: SSAValue
    ) -> None:
        write = self.builder.write
        array = self.code.staged[generic, position]
        kind = cast("TensorType[Attribute]", generic.inputs[position].type).element_type
        dims = corresponding_loops(self.view.generics, generic, loops, write.index(0))
        value = write.choose(
            exists,
            lambda: GenericCode.read(self.code, generic, position, dims),
            lambda: write.constant(neutral_element(Combiner.ADD, kind)),
            kind,
        )
        write.store(value, array, element)
