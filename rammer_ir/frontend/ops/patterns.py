"""Ops that choose elements by their place: Trilu, EyeLike, OneHot, Tile, ReverseSequence, ArrayFeatureExtractor."""

from math import prod

import onnx
from xdsl.dialects.builtin import TensorType, i64
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.frontend import scalars
from rammer_ir.frontend.computed_indices import (
    as_index,
    as_integer,
    extract,
    index_constant,
    loop_index,
    loop_indices,
    model_index,
)
from rammer_ir.frontend.element_types import dtype_of_onnx, element_type, onnx_of_dtype
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


def _diagonal(rank: int) -> SSAValue:
    """By how much the column is greater than the row, in the last two dimensions."""
    return scalars.subtract(loop_index(rank - 1), loop_index(rank - 2))


@onnx_op("Trilu", since=14)
def triangle(node: Node, build: GraphBuilder) -> Value:
    """The elements on one side of a diagonal; 0 on the other."""
    operand = node.input(0)
    if operand.rank < 2:
        raise node.error(f"needs a matrix, not {operand.rank} dimensions")
    given = node.optional_integers(1, "k")
    reach = operand.shape[-1] + operand.shape[-2]
    k = max(-reach, min(reach, given[0] if given else 0))
    order = "ge" if node.integer("upper", 1) else "le"

    def body(element: SSAValue) -> SSAValue:
        is_kept = scalars.compare(order, _diagonal(operand.rank), index_constant(k))
        return scalars.select(is_kept, element, scalars.constant_like(0, element))

    return build.pointwise([operand], operand.shape, body)


@onnx_op("EyeLike", since=9)
def eye(node: Node, build: GraphBuilder) -> Value:
    """1 on a diagonal, 0 elsewhere."""
    operand = node.input(0)
    if operand.rank != 2:
        raise node.error(f"needs a matrix, not {operand.rank} dimensions")
    kind = node.integer("dtype", onnx_of_dtype(operand.dtype))
    dtype = dtype_of_onnx(kind, "the result")
    element = element_type(dtype, f"the result ({onnx.TensorProto.DataType.Name(kind)})")
    reach = sum(operand.shape)
    k = max(-reach, min(reach, node.integer("k", 0)))

    def body(*_: SSAValue) -> SSAValue:
        is_on = scalars.compare("eq", _diagonal(2), index_constant(k))
        return scalars.select(is_on, scalars.constant(1, element), scalars.constant(0, element))

    return build.generic(operand.shape, [], [Write(TensorType(element, operand.shape), loop_dims(2))], body)[0]


@onnx_op("OneHot", since=9)
def one_hot(node: Node, build: GraphBuilder) -> Value:
    """One of two numbers, by whether an index is that of the place; an index out of range is that of none."""
    indices, values = node.input(0), node.input(2)
    depths = node.optional_integers(1, "depth")
    if not depths or depths[0] < 1 or prod(values.shape) != 2:
        raise node.error("needs a depth of 1 or more and two values")
    depth, axis = depths[0], node.axis("axis", -1, indices.rank + 1)
    shape = [*indices.shape[:axis], depth, *indices.shape[axis:]]
    dims = loop_dims(len(shape))
    source = build.read(values)
    chosen = [Read(source, [AffineExpr.constant(number)]) for number in (0, 1)]

    def body(index: SSAValue, off: SSAValue, on: SSAValue) -> SSAValue:
        wide = scalars.convert(index, i64)
        is_negative = scalars.compare("lt", wide, scalars.constant(0, i64))
        place = scalars.select(is_negative, scalars.add(wide, scalars.constant(depth, i64)), wide)
        return scalars.select(scalars.compare("eq", place, as_integer(loop_index(axis), i64)), on, off)

    reads = [Read(build.read(indices), [*dims[:axis], *dims[axis + 1 :]]), *chosen]
    return build.generic(shape, reads, [Write(TensorType(values.element_type, shape), dims)], body)[0]


@onnx_op("Tile", since=6)
def tile(node: Node, build: GraphBuilder) -> Value:
    """The operand, repeated along each dimension."""
    operand = node.input(0)
    repeats = node.optional_integers(1, "repeats")
    if repeats is None or len(repeats) != operand.rank or any(count < 1 for count in repeats):
        raise node.error(f"needs a positive number of repeats for each of {operand.rank} dimensions")
    shape = [extent * count for extent, count in zip(operand.shape, repeats, strict=True)]
    dims = loop_dims(operand.rank)
    indices = [
        AffineExpr.constant(0) if extent == 1 else dim if count == 1 else dim % extent
        for dim, extent, count in zip(dims, operand.shape, repeats, strict=True)
    ]
    return build.view(operand, shape, indices)


@onnx_op("ReverseSequence", since=10)
def reverse_sequence(node: Node, build: GraphBuilder) -> Value:
    """The first elements of each sequence in reverse, so many as its length says; the others stay."""
    operand, lengths = node.input(0), node.input(1)
    batch, time = node.axis("batch_axis", 1, operand.rank), node.axis("time_axis", 0, operand.rank)
    source, dims = build.read(operand), loop_dims(operand.rank)

    def body(length: SSAValue) -> SSAValue:
        count, step = as_index(length), loop_index(time)
        mirrored = scalars.subtract(scalars.subtract(count, index_constant(1)), step)
        place = scalars.select(scalars.compare("lt", step, count), mirrored, step)
        return extract(source, [place if dim == time else loop_index(dim) for dim in range(operand.rank)])

    read = Read(build.read(lengths), [dims[batch]])
    return build.generic(operand.shape, [read], [Write(operand.type, dims)], body)[0]


@onnx_op("ArrayFeatureExtractor", domain="ai.onnx.ml")
def extract_features(node: Node, build: GraphBuilder) -> Value:
    """Elements of the last dimension."""
    operand, indices = node.input(0), node.input(1)
    if not operand.rank:
        raise node.error("needs at least one dimension")
    count = prod(indices.shape)
    shape = [*(operand.shape[:-1] or (1,)), count]
    outer = 0 if operand.rank == 1 else operand.rank - 1
    source, dims = build.read(operand), loop_dims(len(shape))

    def body(index: SSAValue) -> SSAValue:
        return extract(source, [*loop_indices(outer), model_index(index, operand.shape[-1])])

    places = [*[AffineExpr.constant(0)] * (indices.rank - 1), *dims[-1:]][: indices.rank]
    if any(extent != 1 for extent in indices.shape[:-1]):
        raise node.error(f"has indices of shape {list(indices.shape)}, which is not supported")
    return build.generic(
        shape, [Read(build.read(indices), places)], [Write(TensorType(operand.element_type, shape), dims)], body
    )[0]
