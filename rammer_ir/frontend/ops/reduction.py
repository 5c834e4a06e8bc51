"""Reductions over dimensions."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Final

from xdsl.ir import SSAValue

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.element_types import is_floating
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


def _as_it_is(element: SSAValue) -> SSAValue:
    return element


def _square(element: SSAValue) -> SSAValue:
    return scalars.multiply(element, element)


@dataclass(frozen=True)
class _Reduction:
    """`after` of all `before(element)` combined; the first opset that takes the axes as an input."""

    combiner: Combiner
    axes_input_since: int
    before: Callable[[SSAValue], SSAValue] = _as_it_is
    after: Callable[[SSAValue], SSAValue] | None = None


_REDUCTIONS: Final[dict[str, _Reduction]] = {
    "ReduceSum": _Reduction(Combiner.ADD, 13),
    "ReduceMax": _Reduction(Combiner.MAXIMUM, 18),
    "ReduceMin": _Reduction(Combiner.MINIMUM, 18),
    "ReduceProd": _Reduction(Combiner.MULTIPLY, 18),
    "ReduceL1": _Reduction(Combiner.ADD, 18, scalars.absolute),
    "ReduceL2": _Reduction(Combiner.ADD, 18, _square, scalars.square_root),
    "ReduceSumSquare": _Reduction(Combiner.ADD, 18, _square),
    "ReduceLogSum": _Reduction(Combiner.ADD, 18, after=scalars.logarithm),
}


def reduced_axes(node: Node, rank: int, axes_input_since: int) -> tuple[int, ...] | None:
    """The dimensions that a node reduces, in order; None if it reduces nothing."""
    by_input = node.opset >= axes_input_since
    axes = node.optional_integers(1, "axes") if by_input else node.integers("axes")
    if not axes:
        return None if by_input and node.integer("noop_with_empty_axes", 0) != 0 else tuple(range(rank))
    return tuple(sorted({node.normal_axis(axis, rank) for axis in axes}))


def _importer(reduction: _Reduction) -> Callable[[Node, GraphBuilder], Value]:
    def import_reduction(node: Node, build: GraphBuilder) -> Value:
        operand = node.input(0)
        if reduction.after is not None and not is_floating(operand.dtype):
            raise node.error(f"of type {operand.dtype} is not supported")
        axes = reduced_axes(node, operand.rank, reduction.axes_input_since)
        if axes is None:
            body = reduction.before
            result = operand if body is _as_it_is else build.pointwise([operand], operand.shape, body)
        else:
            keep_dims = node.integer("keepdims", 1) != 0
            result = build.reduce(operand, axes, reduction.combiner, keep_dims=keep_dims, body=reduction.before)
        return result if reduction.after is None else build.pointwise([result], result.shape, reduction.after)

    return import_reduction


for _name, _reduction in _REDUCTIONS.items():
    onnx_op(_name, since=1)(_importer(_reduction))


@onnx_op("ReduceMean", since=1)
def reduce_mean(node: Node, build: GraphBuilder) -> Value:
    operand = node.input(0)
    axes = reduced_axes(node, operand.rank, 18)
    if axes is None:
        return operand
    total = build.reduce(operand, axes, Combiner.ADD, keep_dims=node.integer("keepdims", 1) != 0)
    count = prod(operand.shape[axis] for axis in axes)
    return build.pointwise(
        [total], total.shape, lambda element: scalars.divide(element, scalars.constant_like(count, element))
    )
