"""Positions of extreme elements: ArgMax, ArgMin, Hardmax and TopK."""

from collections.abc import Sequence
from math import prod

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, Float64Type, TensorType, i32, i64
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.computed_indices import (
    as_index,
    as_integer,
    extract,
    linearized_index,
    loop_index,
    loop_indices,
)
from rammer_ir.frontend.element_types import is_floating
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value

_BEHIND_ALL = 2**31 - 1


@onnx_op("ArgMax")
@onnx_op("ArgMin")
def arg_extreme(node: Node, build: GraphBuilder) -> Value:
    """Where the extreme element of a dimension is: the first, or the last, of equal ones; NaN counts as extreme."""
    operand = node.input(0)
    axis = node.axis("axis", 0, operand.rank)
    combiner = Combiner.MAXIMUM if node.op_type == "ArgMax" else Combiner.MINIMUM
    is_last = node.integer("select_last_index", 0) != 0
    position = _extreme_position(build, operand, [axis], combiner, is_last=is_last)
    if node.integer("keepdims", 1) == 0:
        shape = [extent for dim, extent in enumerate(position.shape) if dim != axis]
        dims = loop_dims(len(shape))
        position = build.view(position, shape, [*dims[:axis], AffineExpr.constant(0), *dims[axis:]])
    return build.pointwise([position], position.shape, lambda place: scalars.convert(place, i64), i64)


def _extreme_position(
    build: GraphBuilder, operand: Value, axes: Sequence[int], combiner: Combiner, *, is_last: bool
) -> Value:
    """The row-major positions, as i32, of extreme elements over some dimensions, which are kept as 1."""
    extreme = build.reduce(operand, axes, combiner)
    dims = loop_dims(operand.rank)
    kept = [AffineExpr.constant(0) if dim in axes else dims[dim] for dim in range(operand.rank)]
    shape = [1 if dim in axes else extent for dim, extent in enumerate(operand.shape)]

    def body(element: SSAValue, found: SSAValue) -> SSAValue:
        place = _position(axes, operand)
        other = scalars.constant(-1 if is_last else _BEHIND_ALL, i32)
        return scalars.select(_same(element, found), place, other)

    reads = [Read(build.read(operand), dims), Read(build.read(extreme), kept)]
    combined = Combiner.MAXIMUM if is_last else Combiner.MINIMUM
    is_reduction = prod(operand.shape[axis] for axis in axes) > 1
    write = Write(TensorType(i32, shape), kept, combined if is_reduction else Combiner.NONE)
    return build.generic(operand.shape, reads, [write], body)[0]


def _position(axes: Sequence[int], operand: Value) -> SSAValue:
    """The row-major position, as i32, of the current element among those that differ in some dimensions."""
    extents = [operand.shape[axis] for axis in axes]
    return as_integer(linearized_index([loop_index(axis) for axis in axes], extents), i32)


def _same(left: SSAValue, right: SSAValue) -> SSAValue:
    """Whether elements are equal; NaN is equal to NaN."""
    equal = scalars.compare("eq", left, right)
    return scalars.either(equal, scalars.both(_is_nan(left), _is_nan(right))) if scalars.is_float(left) else equal


def _is_nan(element: SSAValue) -> SSAValue:
    return scalars.compare("ne", element, element)


@onnx_op("Hardmax")
def hardmax(node: Node, build: GraphBuilder) -> Value:
    """1 for the first greatest element, 0 for all others; up to opset 11 of all dimensions from the axis on."""
    operand = node.input(0)
    if node.opset >= 13:
        axes: Sequence[int] = (node.axis("axis", -1, operand.rank),)
    else:
        axes = range(node.axis("axis", 1, operand.rank), operand.rank)
    position = _extreme_position(build, operand, axes, Combiner.MAXIMUM, is_last=False)

    def body(place: SSAValue) -> SSAValue:
        here = scalars.compare("eq", _position(axes, operand), place)
        return scalars.select(here, *(scalars.constant(number, operand.element_type) for number in (1, 0)))

    return build.pointwise([position], operand.shape, body, operand.element_type)


@onnx_op("TopK", since=1)
def top_k(node: Node, build: GraphBuilder) -> list[Value]:
    """
    The k greatest, or least, elements of a dimension, sorted, and where they are.

    An element's rank is the number of those that come before it: of equal ones those of lower index, and NaN counts as
    the greatest number. The element of rank r is the r-th of the result.
    """
    operand = node.input(0)
    axis = node.axis("axis", -1, operand.rank)
    extent = operand.shape[axis]
    k = node.integer("k", 0) if node.opset < 10 else (node.optional_integers(1, "k") or (0,))[0]
    if not 1 <= k <= extent:
        raise node.error(f"asks for {k} of {extent} elements")
    ranks = _ranks(build, operand, axis, is_largest=node.integer("largest", 1) != 0)
    places = _by_rank(build, ranks, axis, k)
    source = build.read(operand)

    def element(place: SSAValue) -> SSAValue:
        inner = loop_indices(operand.rank - axis - 1, axis + 1)
        return extract(source, [*loop_indices(axis), as_index(place), *inner])

    values = build.pointwise([places], places.shape, element, operand.element_type)
    return [values, build.pointwise([places], places.shape, lambda place: scalars.convert(place, i64), i64)]


def _keys(build: GraphBuilder, operand: Value) -> Value:
    """Integers in the order of the elements, equal for equal ones; that of NaN is the greatest. Integers stay."""
    if not is_floating(operand.dtype):
        return operand
    is_wide = operand.element_type == Float64Type()
    kind, number = (i64, Float64Type()) if is_wide else (i32, Float32Type())
    greatest = 2 ** (63 if is_wide else 31) - 1

    def key(element: SSAValue) -> SSAValue:
        # The sum makes a positive zero of a negative one.
        value = scalars.add(scalars.convert(element, number), scalars.constant(0, number))
        bits = arith.BitcastOp(value, kind).result
        is_negative = scalars.compare("lt", bits, scalars.constant(0, kind))
        mirrored = scalars.differ(bits, scalars.constant(greatest, kind))
        ordered = scalars.select(is_negative, mirrored, bits)
        return scalars.select(_is_nan(value), scalars.constant(greatest, kind), ordered)

    return build.pointwise([operand], operand.shape, key, kind)


def _ranks(build: GraphBuilder, operand: Value, axis: int, *, is_largest: bool) -> Value:
    """How many elements of its row come before each element, as i32."""
    rank, extent = operand.rank, operand.shape[axis]
    dims = loop_dims(rank)
    other = AffineExpr.dimension(rank)
    keys = build.read(_keys(build, operand))
    reads = [Read(keys, dims), Read(keys, [other if dim == axis else dims[dim] for dim in range(rank)])]

    def body(key: SSAValue, against: SSAValue) -> SSAValue:
        is_before = scalars.compare("gt" if is_largest else "lt", against, key)
        is_lower = scalars.compare("lt", loop_index(rank), loop_index(axis))
        is_tie = scalars.both(scalars.compare("eq", key, against), is_lower)
        return arith.ExtUIOp(scalars.either(is_before, is_tie), i32).result

    write = Write(TensorType(i32, operand.shape), dims, Combiner.ADD if extent > 1 else Combiner.NONE)
    return build.generic([*operand.shape, extent], reads, [write], body)[0]


def _by_rank(build: GraphBuilder, ranks: Value, axis: int, k: int) -> Value:
    """The index, as i32, of the element of each rank below k."""
    rank, extent = ranks.rank, ranks.shape[axis]
    dims = loop_dims(rank)
    source = AffineExpr.dimension(rank)
    shape = [k if dim == axis else size for dim, size in enumerate(ranks.shape)]
    read = Read(build.read(ranks), [source if dim == axis else dims[dim] for dim in range(rank)])

    def body(element: SSAValue) -> SSAValue:
        is_it = scalars.compare("eq", element, as_integer(loop_index(axis), i32))
        return scalars.select(is_it, as_integer(loop_index(rank), i32), scalars.constant(0, i32))

    write = Write(TensorType(i32, shape), dims, Combiner.ADD if extent > 1 else Combiner.NONE)
    return build.generic([*shape, extent], [read], [write], body)[0]
