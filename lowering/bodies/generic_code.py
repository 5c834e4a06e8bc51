"""Code for the elements of a kernel's generics: reads, scalar bodies, and generics evaluated where they are used."""

from collections.abc import Callable, Iterator, Sequence
from typing import cast

from xdsl.dialects.builtin import FloatAttr, IntegerAttr, TensorType, UnitAttr
from xdsl.ir import Attribute, OpResult, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr, AffineMap

from rammer_ir.dialects.rop import ExtractOp, GenericOp, IndexOp, YieldOp, tensor_type
from rammer_ir.indexing.ranges import expression_range
from rammer_ir.indexing.simplify import linearize
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.extracted import load_extracted
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.loop_correspondence import loops_of_root

Reader = Callable[[Sequence[SSAValue]], SSAValue]
"""Gives the element of a task's local tensor at an index."""


class GenericCode:
    """
    Writes what generics of one kernel compute for single indices.

    `symbols` are the task's coordinates and loop index; `local` says how to read tensors that earlier generics of the
    kernel computed.
    """

    def __init__(self, view: KernelView, builder: BodyBuilder, symbols: Sequence[SSAValue]) -> None:
        self.view = view
        self.builder = builder
        self.symbols = symbols
        self.local: dict[SSAValue, Reader] = {}

    def address(
        self, generic: GenericOp, affine_map: AffineMap, tensor: Attribute, dims: Sequence[SSAValue]
    ) -> SSAValue:
        """The linear index that a map gives in a row-major tensor."""
        shape = cast("TensorType[Attribute]", tensor).get_shape()
        linear = linearize(affine_map, shape, *self.view.ranges(generic))
        return self.builder.index(linear.results[0], dims, self.symbols, self.view.ranges(generic))

    def in_range(
        self, generic: GenericOp, affine_map: AffineMap, tensor: Attribute, dims: Sequence[SSAValue]
    ) -> list[SSAValue]:
        """Conditions for a map's index to lie in a tensor, in those dimensions where it may not."""
        return [
            self.builder.write.in_range(
                self.builder.index(result, dims, self.symbols, self.view.ranges(generic)),
                self.builder.parameter(extent),
            )
            for result, extent in self.unsure_dimensions(generic, affine_map, tensor)
        ]

    def unsure_dimensions(
        self, generic: GenericOp, affine_map: AffineMap, tensor: Attribute
    ) -> list[tuple[AffineExpr, int]]:
        """The results of a map that may leave a tensor, with its extents."""
        shape = cast("TensorType[Attribute]", tensor).get_shape()
        unsure: list[tuple[AffineExpr, int]] = []
        for result, extent in zip(affine_map.results, shape, strict=True):
            values = expression_range(result, *self.view.ranges(generic))
            if values.low < 0 or (values.high >= extent and not self._is_loop_row(result)):
                unsure.append((result, extent))
        return unsure

    def _is_loop_row(self, expression: AffineExpr) -> bool:
        """Whether it counts the steps of the loop around: those rows exist by the meaning of the loop."""
        return self.view.kernel.loops > 0 and not expression.used_dims()

    def guards(self, generic: GenericOp, dims: Sequence[SSAValue], reduced: Sequence[int]) -> list[SSAValue]:
        """
        Conditions for an index of a tile's loops to be computed, before the `reduced` loops run.

        A tile may overhang: the index must be one whose results are written in the end, and in range of what is read.
        """
        write = self.builder.write
        ranges = self.view.ranges(generic)
        return [
            write.in_range(self.builder.index(expression, dims, self.symbols, ranges), self.builder.parameter(extent))
            for expression, extent in self.limits(generic, reduced)
        ]

    def limits(self, generic: GenericOp, reduced: Sequence[int]) -> list[tuple[AffineExpr, int]]:
        """What `guards` asks for: expressions of a generic's loops, each in [0, its extent)."""
        return list(dict.fromkeys(self._limits(generic, reduced)))

    def _limits(self, generic: GenericOp, reduced: Sequence[int]) -> Iterator[tuple[AffineExpr, int]]:
        """Expressions of a generic's loops that must be below an extent."""
        for value, map_attr, pad in zip(generic.inputs, generic.input_maps, generic.pads, strict=True):
            if isinstance(pad, UnitAttr) and self.view.read_number(value) is not None:
                for limit in self.unsure_dimensions(generic, map_attr.data, value.type):
                    if not limit[0].used_dims().intersection(reduced):
                        yield limit
        if generic.into:
            for value, map_attr in zip(generic.res, generic.output_maps, strict=True):
                yield from self.unsure_dimensions(generic, map_attr.data, value.type)
        else:
            yield from self._limits_of_root(generic)

    def _limits_of_root(self, generic: GenericOp) -> Iterator[tuple[AffineExpr, int]]:
        """What must hold for the root to write its results, for the loops that correspond to its own."""
        root = self.view.generics[-1]
        loops = loops_of_root(self.view.generics, generic)
        dims = [AffineExpr.dimension(loops.get(dim, 0)) for dim in range(len(root.bounds))]
        symbols = [AffineExpr.symbol(position) for position in range(len(self.symbols))]
        for value, map_attr in zip(root.res, root.output_maps, strict=True):
            for expression, extent in self.unsure_dimensions(root, map_attr.data, value.type):
                if loops.keys() >= expression.used_dims():
                    yield expression.replace_dims_and_symbols(dims, symbols), extent

    def read(self, generic: GenericOp, position: int, dims: Sequence[SSAValue]) -> SSAValue:
        """The element of an input at an index of the loops; the pad value out of range."""
        value, pad = generic.inputs[position], generic.pads[position]
        conditions: list[SSAValue] = []
        if isinstance(pad, FloatAttr | IntegerAttr):
            conditions = self.in_range(generic, generic.input_maps[position].data, value.type, dims)
        if not conditions:
            return self._load(generic, position, dims)
        number = cast("FloatAttr | IntegerAttr", pad)
        write = self.builder.write
        return write.choose(
            write.all_of(conditions),
            lambda: self._load(generic, position, dims),
            lambda: write.constant(number),
            tensor_type(value).element_type,
        )

    def _load(self, generic: GenericOp, position: int, dims: Sequence[SSAValue]) -> SSAValue:
        value, affine_map = generic.inputs[position], generic.input_maps[position].data
        if value in self.local:
            ranges = self.view.ranges(generic)
            indices = [self.builder.index(result, dims, self.symbols, ranges) for result in affine_map.results]
            return self.local[value](indices)
        number = self.view.read_number(value)
        assert number is not None, "a kernel reads its operands and what it computed"
        return self.builder.write.load(
            self.builder.operand(number), self.address(generic, affine_map, value.type, dims)
        )

    def compute(self, generic: GenericOp, dims: Sequence[SSAValue], inputs: Sequence[SSAValue]) -> list[SSAValue]:
        """What the scalar body yields for an index, given its inputs' elements."""
        values: dict[SSAValue, SSAValue] = dict(zip(generic.body.block.args, inputs, strict=True))
        coordinates = self.view.kernel.region.block.args
        values.update(zip(coordinates, self.symbols, strict=False))
        for op in generic.body.block.ops:
            if isinstance(op, YieldOp):
                return [values[value] for value in op.values]
            if isinstance(op, IndexOp):
                values[op.result] = dims[op.dim.value.data]
                continue
            if isinstance(op, ExtractOp):
                values[op.result] = load_extracted(op, values, self.view, self.builder, self.builder.parameter)
                continue
            values.update(zip(op.results, self.builder.write.add(op.clone(values)).results, strict=True))
        raise AssertionError("the body of a generic ends with rop.yield")

    def evaluate(self, generic: GenericOp, dims: Sequence[SSAValue]) -> list[SSAValue]:
        """All that a generic without reduction yields for an index."""
        inputs = [self.read(generic, position, dims) for position in range(len(generic.inputs))]
        return self.compute(generic, dims, inputs)

    def evaluate_in_place(self, result: OpResult) -> Reader:
        """Reads a local tensor by computing its element again: for an element-wise generic that is used once."""
        generic = cast("GenericOp", result.op)
        written = generic.output_maps[result.index].data.results

        def element(indices: Sequence[SSAValue]) -> SSAValue:
            dims: list[SSAValue] = [self.builder.write.index(0)] * len(generic.bounds)
            for expression, index in zip(written, indices, strict=True):
                if isinstance(expression, AffineDimExpr):
                    dims[expression.position] = index
            return self.evaluate(generic, dims)[result.index]

        return element


def is_element_wise(generic: GenericOp) -> bool:
    """Whether it computes each element of its one result at a plain index, from what it reads there."""
    if len(generic.res) != 1 or generic.reduction_dims():
        return False
    written = generic.output_maps[0].data.results
    plain = {result.position for result in written if isinstance(result, AffineDimExpr)}
    needed = {dim for dim, bound in enumerate(generic.bounds) if bound > 1}
    return needed <= plain and all(isinstance(result, AffineDimExpr) or not result.used_dims() for result in written)
