"""Gathers: elements of a tensor at indices that another tensor holds."""

from math import prod

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.frontend.computed_indices import as_index, extract, loop_index, loop_indices, model_index
from rammer_ir.frontend.element_types import Array
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.views import reshaped
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("Gather", since=1)
def gather(node: Node, build: GraphBuilder) -> Value:
    """Slices of a dimension; known ones at equal distances are a view."""
    data, indices = node.input(0), node.input(1)
    axis = node.axis("axis", 0, data.rank)
    shape = [*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :]]
    if indices.constant is not None:
        result = taken(build, data, axis, _positions(node, indices.constant, data.shape[axis]))
        return reshaped(build, result, shape)
    source, after = build.read(data), axis + indices.rank

    def body(index: SSAValue) -> SSAValue:
        place = model_index(index, data.shape[axis])
        return extract(source, [*loop_indices(axis), place, *loop_indices(data.rank - axis - 1, after)])

    read = Read(build.read(indices), loop_dims(indices.rank, axis))
    return build.generic(shape, [read], [Write(TensorType(data.element_type, shape), loop_dims(len(shape)))], body)[0]


def _positions(node: Node, indices: Array, extent: int) -> NDArray[np.int64]:
    """Known indices in row-major order, counted from the start."""
    positions = np.ravel(indices).astype(np.int64)
    if not ((-extent <= positions) & (positions < extent)).all():
        raise node.error(f"has indices that are out of range for {extent} elements")
    return positions % extent


def taken(build: GraphBuilder, value: Value, axis: int, positions: NDArray[np.int64]) -> Value:
    """The elements at known positions of a dimension, each in its range: a view where a map gives the positions."""
    dims = loop_dims(value.rank)
    shape = [len(positions) if dim == axis else extent for dim, extent in enumerate(value.shape)]
    place = _place(positions, dims[axis])
    if place is not None:
        return build.view(value, shape, [place if dim == axis else dims[dim] for dim in range(value.rank)])
    source = build.read(value)
    table = build.read(build.constant(positions.astype(np.int32), "positions"))

    def body(position: SSAValue) -> SSAValue:
        return extract(source, [as_index(position) if dim == axis else loop_index(dim) for dim in range(value.rank)])

    write = Write(TensorType(value.element_type, shape), dims)
    return build.generic(shape, [Read(table, [dims[axis]])], [write], body)[0]


def _place(positions: NDArray[np.int64], dim: AffineExpr) -> AffineExpr | None:
    """Positions at equal distances, or each the same number of times, as an expression of their number."""
    numbers = np.arange(len(positions))
    first = int(positions[0])
    step = int(positions[1]) - first if len(positions) > 1 else 0
    if np.array_equal(positions, first + numbers * step):
        return dim * step + first
    repeats = int(np.argmax(positions != first))
    if first == 0 and np.array_equal(positions, numbers // repeats):
        return dim // repeats
    return None


@onnx_op("GatherElements", since=11)
def gather_elements(node: Node, build: GraphBuilder) -> Value:
    """Elements whose index differs from the result's in one dimension."""
    data, indices = node.input(0), node.input(1)
    axis = node.axis("axis", 0, data.rank)
    if indices.rank != data.rank:
        raise node.error(f"has indices of {indices.rank} dimensions for data of {data.rank}")
    source, dims = build.read(data), loop_dims(data.rank)

    def body(index: SSAValue) -> SSAValue:
        place = model_index(index, data.shape[axis])
        return extract(source, [place if dim == axis else loop_index(dim) for dim in range(data.rank)])

    write = Write(TensorType(data.element_type, indices.shape), dims)
    return build.generic(indices.shape, [Read(build.read(indices), dims)], [write], body)[0]


@onnx_op("GatherND", since=11)
def gather_nd(node: Node, build: GraphBuilder) -> Value:
    """Slices at indices of several dimensions, which the last dimension of `indices` holds."""
    data, indices = node.input(0), node.input(1)
    batch = node.integer("batch_dims", 0)
    if not 0 <= batch < min(data.rank, indices.rank) or not 1 <= indices.shape[-1] <= data.rank - batch:
        raise node.error(f"has indices {list(indices.shape)} for data {list(data.shape)} and batch_dims {batch}")
    if data.shape[:batch] != indices.shape[:batch]:
        raise node.error("has data and indices of different batches")
    depth, outer = indices.shape[-1], indices.rank - 1
    shape = [*indices.shape[:-1], *data.shape[batch + depth :]]
    source = build.read(data)

    def body(*positions: SSAValue) -> SSAValue:
        extents = data.shape[batch : batch + depth]
        places = [model_index(position, extent) for position, extent in zip(positions, extents, strict=True)]
        return extract(source, [*loop_indices(batch), *places, *loop_indices(data.rank - batch - depth, outer)])

    whole = build.read(indices)
    reads = [Read(whole, [*loop_dims(outer), AffineExpr.constant(part)]) for part in range(depth)]
    return build.generic(shape, reads, [Write(TensorType(data.element_type, shape), loop_dims(len(shape)))], body)[0]


@onnx_op("Compress", since=9)
def compress(node: Node, build: GraphBuilder) -> Value:
    """The slices of a dimension, or the elements in row-major order, for which a known condition is true."""
    operand = node.input(0)
    condition = node.optional_constant(1, "condition")
    if condition is None:
        raise node.error("lacks a condition")
    if not node.has("axis"):
        operand = reshaped(build, operand, (prod(operand.shape),))
    axis = node.axis("axis", 0, operand.rank)
    positions = np.flatnonzero(condition).astype(np.int64)
    if not len(positions) or positions[-1] >= operand.shape[axis]:
        raise node.error(f"takes {len(positions)} of {operand.shape[axis]} elements, which is not supported")
    return taken(build, operand, axis, positions)
