"""The end of a contraction: partial sums are added, the element-wise rest is applied, results are written."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from math import gcd, prod
from typing import cast

from xdsl.dialects import arith
from xdsl.dialects.builtin import UnitAttr, f32, i32
from xdsl.ir import Attribute, OpResult, SSAValue
from xdsl.ir.affine import AffineMap

from rammer_ir.dialects.block import BarrierOp, CopyOp, Level, MemorySpace
from rammer_ir.dialects.rop import Combiner, GenericOp, tensor_type
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.indexing.linear import linear_form
from rammer_ir.indexing.simplify import linearize
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.contraction_shape import PIECE, BlockShape
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

    Results that are neighbours in memory are written by neighbouring threads: along M (`m_is_fast`) or along N. Where
    the results and all that is read have pieces of 4 neighbours along that direction, threads take such a piece, or
    half of one, at once.
    """

    def __init__(
        self,
        view: KernelView,
        roles: ContractionAttr,
        builder: BodyBuilder,
        shape: BlockShape,
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
        self.reads = list(self._operands_read())
        self.m_is_fast = self._is_contiguous_along_m()
        self.piece = gcd(PIECE, shape.elements) if self._has_pieces() else 1
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

    def _has_pieces(self) -> bool:
        """Whether all accesses advance by one element along the fast direction, from places that are whole pieces."""
        fast = self.roles.m[-1] if self.m_is_fast else self.roles.n
        if self.first.bounds[fast] % PIECE or not all(
            isinstance(generic.pads[position], UnitAttr) for generic, position in self.reads
        ):
            return False
        reads = [(generic, generic.inputs[number], generic.input_maps[number]) for generic, number in self.reads]
        writes = zip([self.root] * len(self.root.res), self.root.res, self.root.output_maps, strict=True)
        return all(
            self._is_piecewise(generic, value, map_attr.data, fast) for generic, value, map_attr in (*reads, *writes)
        )

    def _is_piecewise(self, generic: GenericOp, value: SSAValue, affine_map: AffineMap, fast: int) -> bool:
        shape = tensor_type(value).get_shape()
        form = linear_form(linearize(affine_map, shape, *self.view.ranges(generic)).results[0])
        names: list[int | None] = corresponding_loops(
            self.view.generics, generic, list(range(len(self.first.bounds))), None
        )
        if form is None or names.count(fast) != 1:
            return False
        loop = names.index(fast)
        used = [result for result in affine_map.results if loop in result.used_dims()]
        others = [factor for dim, factor in form.dims.items() if dim != loop]
        unsure = self.code.unsure_dimensions(generic, affine_map, value.type)
        return (
            form.dims.get(loop) == 1
            and all(step % PIECE == 0 for step in (form.constant, *others, *form.symbols.values()))
            and all(extent % PIECE == 0 for result, extent in unsure if result in used)
        )

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
        values = [write.allocate([self.piece], _element(value), MemorySpace.THREAD) for value in self.root.res]
        with self._each_piece() as (thread, number):
            loops, _, place = self._place(thread, number)
            totals = self._totals(partial, place)
            with write.loop(write.index(0), write.index(self.piece), unroll=True) as step:
                self._compute(loops, number, step, write.load(totals, step), values)
            exists = write.as_index(write.load(self.exists, number))
            with write.when(write.less(write.index(0), exists)):
                dims = corresponding_loops(self.view.generics, self.root, loops, write.index(0))
                for array, result, map_attr in zip(values, self.root.res, self.root.output_maps, strict=True):
                    address = self.code.address(self.root, map_attr.data, result.type, dims)
                    write.add(CopyOp(self.piece, array, [write.index(0)], self._target(result), [address]))

    @contextmanager
    def _each_piece(self) -> Generator[tuple[SSAValue, SSAValue]]:
        """A thread, and the number of each of its pieces in turn."""
        write = self.builder.write
        with write.parallel(Level.THREAD, write.index(self.shape.threads)) as thread:
            with write.loop(write.index(0), write.index(self._pieces), unroll=True) as number:
                yield thread, number

    @property
    def _pieces(self) -> int:
        return -(-self.shape.elements // self.piece)

    def _compute(
        self, loops: Sequence[SSAValue], number: SSAValue, step: SSAValue, total: SSAValue, values: Sequence[SSAValue]
    ) -> None:
        """The results for one element of a piece."""
        write = self.builder.write
        self.code.local = {self.first.res[0]: lambda _: total}
        for result in (result for generic in self.rest[:-1] for result in generic.res):
            self.code.local[result] = self.code.evaluate_in_place(cast("OpResult", result))
        self.code.element = write.plus(write.times(number, write.index(self.piece)), step)
        fast = self.roles.m[-1] if self.m_is_fast else self.roles.n
        here = [write.plus(loop, step) if dim == fast else loop for dim, loop in enumerate(loops)]
        dims = corresponding_loops(self.view.generics, self.root, here, write.index(0))
        computed = [total] if self.root is self.first else self.code.evaluate(self.root, dims)
        for value, array in zip(computed, values, strict=True):
            write.store(value, array, step)

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

    def _place(self, thread: SSAValue, number: SSAValue) -> tuple[list[SSAValue], list[SSAValue], list[SSAValue]]:
        """
        Loop indices of the first generic for the first element of a thread's piece, conditions for the piece to exist,
        and its place in the block.
        """
        shape, write = self.shape, self.builder.write
        linear = write.plus(write.times(number, write.index(shape.threads)), thread)
        fast_pieces = (shape.block_m if self.m_is_fast else shape.block_n) // self.piece
        fast = write.times(write.modulo(linear, write.index(fast_pieces)), write.index(self.piece))
        slow = write.divide(linear, write.index(fast_pieces))
        at_m, at_n = (fast, slow) if self.m_is_fast else (slow, fast)
        loops: list[SSAValue] = [write.index(0)] * len(self.first.bounds)
        for dim, index in zip(self.roles.m, write.decode_small(at_m, self.extents_m), strict=True):
            loops[dim] = index
        loops[self.roles.n] = at_n
        return loops, [write.less(at_m, self.tile_m), write.less(at_n, self.tile_n)], [slow, fast]

    def _totals(self, partial: SSAValue, place: Sequence[SSAValue]) -> SSAValue:
        """The sums of a piece over all slices, always in the same order."""
        write = self.builder.write
        totals = write.allocate([self.piece], f32, MemorySpace.THREAD)
        write.add(CopyOp(self.piece, partial, [write.index(0), *place], totals, [write.index(0)]))
        for slice_ in range(1, self.shape.slices):
            more = write.allocate([self.piece], f32, MemorySpace.THREAD)
            write.add(CopyOp(self.piece, partial, [write.index(slice_), *place], more, [write.index(0)]))
            with write.loop(write.index(0), write.index(self.piece), unroll=True) as step:
                total = write.add(arith.AddfOp(write.load(totals, step), write.load(more, step))).result
                write.store(total, totals, step)
        return totals

    def _operands_read(self) -> Iterator[tuple[GenericOp, int]]:
        for generic in self.rest:
            for position, value in enumerate(generic.inputs):
                if self.view.read_number(value) is not None:
                    yield generic, position

    def _read_operands(self) -> None:
        """
        Loads what the element-wise generics read into arrays of each thread, and notes which of the thread's pieces
        exist.
        """
        write = self.builder.write
        self.exists = write.allocate([self._pieces], i32, MemorySpace.THREAD)
        for generic, position in self.reads:
            kind = _element(generic.inputs[position])
            size = self._pieces * self.piece
            self.code.staged[generic, position] = write.allocate([size], kind, MemorySpace.THREAD)
        with self._each_piece() as (thread, number):
            loops, conditions, _ = self._place(thread, number)
            dims = corresponding_loops(self.view.generics, self.root, loops, write.index(0))
            exists = write.all_of([*conditions, *self._write_conditions(dims)])
            write.store(write.as_i32(write.select(exists, write.index(1), write.index(0))), self.exists, number)
            first = write.times(number, write.index(self.piece))
            for generic, position in self.reads:
                self._read_piece(generic, position, loops, exists, first)

    def _read_piece(
        self, generic: GenericOp, position: int, loops: Sequence[SSAValue], exists: SSAValue, first: SSAValue
    ) -> None:
        """Loads a piece of an operand, zeros where nothing is written."""
        write = self.builder.write
        array, value = self.code.staged[generic, position], generic.inputs[position]
        dims = corresponding_loops(self.view.generics, generic, loops, write.index(0))
        zero = write.constant(neutral_element(Combiner.ADD, _element(value)))
        if self.piece == 1:
            read = write.choose(
                exists, lambda: GenericCode.read(self.code, generic, position, dims), lambda: zero, _element(value)
            )
            write.store(read, array, first)
            return
        with write.loop(write.index(0), write.index(self.piece), unroll=True) as step:
            write.store(zero, array, write.plus(first, step))
        number = self.view.read_number(value)
        assert number is not None, "a piece is read of an operand"
        with write.when(exists):
            address = self.code.address(generic, generic.input_maps[position].data, value.type, dims)
            write.add(CopyOp(self.piece, self.builder.operand(number), [address], array, [first]))


def _element(value: SSAValue) -> Attribute:
    return tensor_type(value).element_type
