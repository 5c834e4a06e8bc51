"""Gathers: elements of a tensor at indices that another tensor holds."""

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.frontend.computed_indices import extract, loop_index, loop_indices, model_index
from rammer_ir.frontend.element_types import Array
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("Gather", since=1)
def gather(node: Node, build: GraphBuilder) -> Value:
    """Slices of a dimension; known ones at equal distances are a view."""
    data, indices = node.input(0), node.input(1)
    axis = node.axis("axis", 0, data.rank)
    shape = [*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :]]
    after = axis + indices.rank
    if indices.constant is not None and (steps := _equal_steps(node, indices.constant, data.shape[axis])) is not None:
        start, step = steps
        position = AffineExpr.constant(start)
        stride = indices.constant.size
        for dim, extent in enumerate(indices.shape):
            stride //= extent
            position = position + AffineExpr.dimension(axis + dim) * (step * stride)
        return build.view(data, shape, [*loop_dims(axis), position, *loop_dims(data.rank - axis - 1, after)])
    source = build.read(data)

    def body(index: SSAValue) -> SSAValue:
        place = model_index(index, data.shape[axis])
        return extract(source, [*loop_indices(axis), place, *loop_indices(data.rank - axis - 1, after)])

    read = Read(build.read(indices), loop_dims(indices.rank, axis))
    return build.generic(shape, [read], [Write(TensorType(data.element_type, shape), loop_dims(len(shape)))], body)[0]


def _equal_steps(node: Node, indices: Array, extent: int) -> tuple[int, int] | None:
    """Start and step of indices that follow each other, in row-major order, at equal distances."""
    positions = [int(item) for item in np.ravel(indices)]
    if not all(-extent <= position < extent for position in positions):
        raise node.error(f"has indices that are out of range for {extent} elements")
    positions = [position % extent for position in positions]
    step = positions[1] - positions[0] if len(positions) > 1 else 0
    is_line = all(position == positions[0] + number * step for number, position in enumerate(positions))
    return (positions[0], step) if is_line else None


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
