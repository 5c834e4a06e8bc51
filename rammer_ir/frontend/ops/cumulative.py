"""Running sums and products."""

from math import isqrt

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.computed_indices import loop_index, remainder
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value

_LONGEST_ROW = 32
"""Longer rows are cut into blocks."""


@onnx_op("CumSum", since=11)
@onnx_op("CumProd", since=26)
def cumulate(node: Node, build: GraphBuilder) -> Value:
    """Each element combined with those before it, or after it; without itself where `exclusive`."""
    operand = node.input(0)
    axes = node.optional_integers(1, "axis")
    if axes is None:
        raise node.error("lacks an axis")
    axis = node.normal_axis(axes[0], operand.rank)
    combiner = Combiner.ADD if node.op_type == "CumSum" else Combiner.MULTIPLY
    is_reverse = node.integer("reverse", 0) != 0
    rows = _mirrored(build, operand, axis) if is_reverse else operand
    result = _running(build, rows, axis, combiner, is_exclusive=node.integer("exclusive", 0) != 0)
    return _mirrored(build, result, axis) if is_reverse else result


def _mirrored(build: GraphBuilder, value: Value, axis: int) -> Value:
    indices = list(loop_dims(value.rank))
    indices[axis] = indices[axis] * -1 + (value.shape[axis] - 1)
    return build.view(value, value.shape, indices)


def _running(build: GraphBuilder, operand: Value, axis: int, combiner: Combiner, *, is_exclusive: bool) -> Value:
    """A row of n elements takes steps for about 2 * sqrt(n) elements each: those of its block, and whole blocks."""
    extent = operand.shape[axis]
    if extent <= _LONGEST_ROW:
        return _in_blocks(build, operand, axis, combiner, extent, is_exclusive=is_exclusive)
    size = isqrt(extent - 1) + 1
    inside = _in_blocks(build, operand, axis, combiner, size, is_exclusive=is_exclusive)
    whole = _of_blocks(build, operand, axis, combiner, size)
    before = _running(build, whole, axis, combiner, is_exclusive=True)
    dims = loop_dims(operand.rank)
    block = [dim // size if position == axis else dim for position, dim in enumerate(dims)]
    combine = scalars.add if combiner is Combiner.ADD else scalars.multiply
    reads = [Read(build.read(inside), dims), Read(build.read(before), block)]
    return build.generic(operand.shape, reads, [Write(operand.type, dims)], combine)[0]


def _neutral(combiner: Combiner) -> int:
    return 0 if combiner is Combiner.ADD else 1


def _in_blocks(
    build: GraphBuilder, operand: Value, axis: int, combiner: Combiner, size: int, *, is_exclusive: bool
) -> Value:
    """Running totals that start anew in each block of `size` elements."""
    rank = operand.rank
    dims = loop_dims(rank)
    place = (dims[axis] // size) * size + AffineExpr.dimension(rank)
    read = Read(
        build.read(operand),
        [place if dim == axis else dims[dim] for dim in range(rank)],
        pad=_neutral(combiner) if operand.shape[axis] % size else None,
    )

    def body(element: SSAValue) -> SSAValue:
        here = remainder(loop_index(axis), size)
        counts = scalars.compare("lt" if is_exclusive else "le", loop_index(rank), here)
        return scalars.select(counts, element, scalars.constant(_neutral(combiner), element.type))

    write = Write(operand.type, dims, combiner if size > 1 else Combiner.NONE)
    return build.generic([*operand.shape, size], [read], [write], body)[0]


def _of_blocks(build: GraphBuilder, operand: Value, axis: int, combiner: Combiner, size: int) -> Value:
    """The totals of whole blocks."""
    rank, extent = operand.rank, operand.shape[axis]
    dims = loop_dims(rank)
    shape = [-(-extent // size) if dim == axis else count for dim, count in enumerate(operand.shape)]
    place = dims[axis] * size + AffineExpr.dimension(rank)
    read = Read(
        build.read(operand),
        [place if dim == axis else dims[dim] for dim in range(rank)],
        pad=_neutral(combiner) if extent % size else None,
    )
    write = Write(TensorType(operand.element_type, shape), dims, combiner)
    return build.generic([*shape, size], [read], [write], lambda element: element)[0]
