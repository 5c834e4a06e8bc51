"""Ops that only say where elements are: each is a generic that yields its input, for a pass to absorb."""

from collections.abc import Sequence
from math import prod

from xdsl.ir.affine import AffineExpr

from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import broadcast_indices, loop_dims, reshape_indices
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


def reshaped(build: GraphBuilder, value: Value, shape: Sequence[int]) -> Value:
    """The value's elements in row-major order under another shape; a constant stays one, of its name."""
    if value.constant is not None:
        return Value.of_array(value.name, value.constant.reshape(tuple(shape)))
    return build.view(value, shape, reshape_indices(value.shape, shape, loop_dims(len(shape))))


def transposed(build: GraphBuilder, value: Value, permutation: Sequence[int]) -> Value:
    """Dimension i of the result is dimension `permutation[i]` of the value; a constant stays one, of its name."""
    if value.constant is not None:
        return Value.of_array(value.name, value.constant.transpose(tuple(permutation)))
    dims = loop_dims(value.rank)
    indices = [dims[permutation.index(dim)] for dim in range(value.rank)]
    return build.view(value, [value.shape[dim] for dim in permutation], indices)


def sliced(build: GraphBuilder, value: Value, axis: int, start: int, count: int) -> Value:
    """`count` elements of a dimension from `start` on; a constant stays one, of its name."""
    if value.constant is not None:
        everything = (slice(None),) * axis
        return Value.of_array(value.name, value.constant[(*everything, slice(start, start + count))])
    dims = loop_dims(value.rank)
    shape = [count if dim == axis else extent for dim, extent in enumerate(value.shape)]
    indices = [dims[dim] + start if dim == axis else dims[dim] for dim in range(value.rank)]
    return build.view(value, shape, indices)


@onnx_op("Reshape", since=5)
@onnx_op("Flatten", since=1)
@onnx_op("Squeeze", since=1)
@onnx_op("Unsqueeze", since=1)
def reshape(node: Node, build: GraphBuilder) -> Value:
    """Every op that keeps the row-major order: what the shape is, shape inference says."""
    operand, shape = node.input(0), node.output_shape()
    if prod(shape) != prod(operand.shape):
        raise node.error(f"makes shape {list(shape)} of {list(operand.shape)}: the elements do not go in")
    return reshaped(build, operand, shape)


@onnx_op("Transpose")
def transpose(node: Node, build: GraphBuilder) -> Value:
    operand = node.input(0)
    permutation = node.integers_or("perm", range(operand.rank)[::-1])
    if sorted(permutation) != list(range(operand.rank)):
        raise node.error(f"has {list(permutation)} where a permutation of {operand.rank} dimensions is needed")
    return transposed(build, operand, permutation)


@onnx_op("Expand", since=8)
def expand(node: Node, build: GraphBuilder) -> Value:
    operand, shape = node.input(0), node.output_shape()
    return build.view(operand, shape, broadcast_indices(operand.shape, shape, loop_dims(len(shape))))


@onnx_op("Slice", since=1, until=9)
def slice_by_attributes(node: Node, build: GraphBuilder) -> Value:
    starts, ends = node.integers("starts"), node.integers("ends")
    if starts is None or ends is None:
        raise node.error("lacks starts or ends")
    axes = node.integers_or("axes", range(len(starts)))
    return _slice(node, build, starts, ends, axes, [1] * len(starts))


@onnx_op("Slice", since=10)
def slice_by_inputs(node: Node, build: GraphBuilder) -> Value:
    starts, ends = node.optional_integers(1, "starts"), node.optional_integers(2, "ends")
    if starts is None or ends is None:
        raise node.error("lacks starts or ends")
    axes = node.optional_integers(3, "axes") or tuple(range(len(starts)))
    steps = node.optional_integers(4, "steps") or (1,) * len(starts)
    return _slice(node, build, starts, ends, axes, steps)


def _slice(
    node: Node,
    build: GraphBuilder,
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int],
    steps: Sequence[int],
) -> Value:
    operand = node.input(0)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise node.error("has starts, ends, axes and steps that do not go together")
    shape = list(operand.shape)
    indices: list[AffineExpr] = list(loop_dims(operand.rank))
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        dim = node.normal_axis(axis, operand.rank)
        # Python's slices clamp as ONNX's do.
        positions = range(operand.shape[dim])[slice(start, end, step)]
        if not positions:
            raise node.error(f"leaves no elements of dimension {dim}, which is not supported")
        shape[dim] = len(positions)
        indices[dim] = AffineExpr.dimension(dim) * positions.step + positions.start
    return build.view(operand, shape, indices)


@onnx_op("Split", since=2)
def split(node: Node, build: GraphBuilder) -> list[Value | None]:
    """Consecutive parts of a dimension; how long each is, shape inference says."""
    operand = node.input(0)
    axis = node.axis("axis", 0, operand.rank)
    extents = [node.output_shape(output)[axis] for output in range(len(node.output_types))]
    starts = [sum(extents[:output]) for output in range(len(extents))]
    if sum(extents) != operand.shape[axis]:
        raise node.error(f"makes parts of {extents} from {operand.shape[axis]}")
    return [
        sliced(build, operand, axis, start, extent) if node.is_used(output) else None
        for output, (start, extent) in enumerate(zip(starts, extents, strict=True))
    ]
