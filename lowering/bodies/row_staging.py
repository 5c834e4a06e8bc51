"""Rows of X in the order of K, gathered for one chunk at a time by the body of a contraction for one core."""

from collections.abc import Callable, Sequence
from math import prod
from typing import cast

from xdsl.dialects import arith
from xdsl.dialects.builtin import FloatAttr, TensorType, f32, i32
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.block import Level, MemorySpace
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.indexing.linear import linear_form
from rammer_ir.indexing.sums import additive_terms, sum_of
from rammer_ir.lowering.bodies.generic_code import GenericCode
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.loop_correspondence import corresponding_loops
from rammer_ir.lowering.bodies.tap_table import FIELDS, x_parts


class RowStaging:
    """
    Writes how rows of X get into an array: one row for each index of M, with the terms of a chunk of K.

    Where the rows lie in X is found once for a task (`describe`). A row is zero where its tap is out of range, and
    where its results do not exist.
    """

    def __init__(self, view: KernelView, roles: ContractionAttr, code: GenericCode, rows: int, terms: int) -> None:
        self.view = view
        self.roles = roles
        self.code = code
        self.builder = code.builder
        self.generic = view.generics[0]
        self.rows = rows
        self.terms = terms
        write = self.builder.write
        self.parts = x_parts(view, roles)
        self.places = [write.allocate([rows], i32, MemorySpace.SHARED) for _ in self.parts]
        self.exists = write.allocate([rows], i32, MemorySpace.SHARED)
        shape = cast("TensorType[Attribute]", self.generic.inputs[roles.x].type).get_shape()
        self.extents = [self.builder.parameter(shape[dim]) for dim in roles.checked]
        number = view.read_number(self.generic.inputs[roles.x])
        assert number is not None, "a contraction reads operands of its kernel"
        self.x = self.builder.operand(number)
        self.table = self.builder.operand(len(view.kernel.reads))

    def describe(self) -> None:
        """Store, for every row, its address and checked indices at tap 0, and whether its results exist."""
        write = self.builder.write
        *outer, inner = self.roles.m
        bounds = self.generic.bounds
        zero = write.index(0)
        extent = self.builder.parameter(bounds[inner])
        loops: list[SSAValue] = [zero] * len(bounds)
        with write.loop(zero, self.builder.parameter(prod(bounds[dim] for dim in outer))) as slow:
            for dim in outer:
                loops[dim] = slow
            first = write.times(slow, extent)
            with write.parallel(Level.THREAD, extent) as fast:
                loops[inner] = fast
                self._describe_row(write.plus(first, fast), loops)
        tile = self.builder.parameter(prod(bounds[dim] for dim in self.roles.m))
        with write.parallel(Level.THREAD, write.minus(write.index(self.rows), tile)) as rest:
            for array in (*self.places, self.exists):
                write.store(write.as_i32(zero), array, write.plus(tile, rest))

    def _describe_row(self, row: SSAValue, loops: Sequence[SSAValue]) -> None:
        write = self.builder.write
        for part, array in zip(self.parts, self.places, strict=True):
            write.store(write.as_i32(self._of_m(part, loops)), array, row)
        conditions = self._conditions(loops)
        exists = write.index(1)
        if conditions:
            exists = write.select(write.all_of(conditions), exists, write.index(0))
        write.store(write.as_i32(exists), self.exists, row)

    def _of_m(self, expression: AffineExpr, loops: Sequence[SSAValue]) -> SSAValue:
        """The terms that do not depend on the reduced loops."""
        reduced = set(self.roles.k)
        terms = [term for term in additive_terms(expression) if not term.used_dims() & reduced]
        return self.builder.index(sum_of(terms), loops, self.code.symbols, self.view.ranges(self.generic))

    def _conditions(self, loops: Sequence[SSAValue]) -> list[SSAValue]:
        """Conditions for the results of an index of M to be written; those on N are left out."""
        write, root = self.builder.write, self.view.generics[-1]
        generics, names = self.view.generics, list(range(len(loops)))
        dims = corresponding_loops(generics, root, loops, write.index(0))
        n = corresponding_loops(generics, root, names, -1).index(self.roles.n)
        return [
            write.in_range(
                self.builder.index(expression, dims, self.code.symbols, self.view.ranges(root)),
                self.builder.parameter(extent),
            )
            for value, map_attr in zip(root.res, root.output_maps, strict=True)
            for expression, extent in self.code.unsure_dimensions(root, map_attr.data, value.type)
            if n not in expression.used_dims()
        ]

    def start_chunk(self, chunk: SSAValue) -> SSAValue:
        """Reads what all rows of a chunk share; the number of its terms."""
        write = self.builder.write
        self.entry = chunk if self.roles.channels else write.times(chunk, write.index(self.terms))
        self.tap = self._tap(self.entry)
        return write.add(arith.MinSIOp(self.tap[-1], write.index(self.terms))).result

    def _tap(self, entry: SSAValue) -> list[SSAValue]:
        """An entry of the table: offset in X, offsets of the checked indices, number of terms from there on."""
        write = self.builder.write
        first = write.times(entry, write.index(FIELDS))
        return [
            write.as_index(write.load(self.table, write.plus(first, write.index(field)))) for field in range(FIELDS)
        ]

    def stage(self, row: SSAValue, target: Sequence[SSAValue], array: SSAValue, terms: SSAValue) -> None:
        """Copies the terms of one row to a row of an array."""
        write = self.builder.write
        places = [write.as_index(write.load(place, row)) for place in self.places]
        exists = write.less(write.index(0), write.as_index(write.load(self.exists, row)))
        conditions = [exists, *(self._checks(places, self.tap) if self.roles.channels else [])]
        read = self._channel_reader(places) if self.roles.channels else self._tap_reader(places)
        zero = write.constant(FloatAttr(0.0, f32))

        def copy() -> None:
            with write.parallel(Level.THREAD, terms) as term:
                write.store(read(term), array, *target, term)

        def clear() -> None:
            with write.parallel(Level.THREAD, terms) as term:
                write.store(zero, array, *target, term)

        write.either(write.all_of(conditions), copy, clear)

    def _channel_reader(self, places: Sequence[SSAValue]) -> Callable[[SSAValue], SSAValue]:
        """Reads a term of a chunk with one tap."""
        write = self.builder.write
        start, stride = write.plus(places[0], self.tap[0]), self._channel_stride()
        step = None if stride == 1 else self.builder.parameter(stride)

        def read(term: SSAValue) -> SSAValue:
            return write.load(self.x, write.plus(start, term if step is None else write.times(term, step)))

        return read

    def _tap_reader(self, places: Sequence[SSAValue]) -> Callable[[SSAValue], SSAValue]:
        """Reads a term of a chunk in which every term has its own tap."""
        write = self.builder.write

        def read(term: SSAValue) -> SSAValue:
            tap = self._tap(write.plus(self.entry, term))
            checks = self._checks(places, tap)

            def element() -> SSAValue:
                return write.load(self.x, write.plus(places[0], tap[0]))

            if not checks:
                return element()
            return write.choose(write.all_of(checks), element, lambda: write.constant(FloatAttr(0.0, f32)), f32)

        return read

    def _checks(self, places: Sequence[SSAValue], tap: Sequence[SSAValue]) -> list[SSAValue]:
        """Conditions for a tap of a row to lie in X, in the dimensions that may be left."""
        write = self.builder.write
        return [
            write.in_range(write.plus(place, offset), extent)
            for place, offset, extent in zip(places[1:], tap[1:], self.extents, strict=False)
        ]

    def _channel_stride(self) -> int:
        """Elements of X between neighbours along the last of the reduced loops."""
        last = self.roles.k[-1]
        terms = [term for term in additive_terms(self.parts[0]) if last in term.used_dims()]
        form = linear_form(sum_of(terms))
        assert form is not None, "channels are evenly spaced"
        return form.dims[last]
