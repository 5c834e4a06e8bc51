"""Softmax and its logarithm: a group of generics over the same loops."""

from collections.abc import Sequence

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


def _axes(node: Node) -> Sequence[int]:
    """The dimensions that sum to one: before opset 13 all from the axis on, since then the axis."""
    rank = node.input(0).rank
    if node.opset >= 13:
        return (node.axis("axis", -1, rank),)
    # An axis behind the last dimension is allowed: every element is a row of its own.
    axis = node.integer("axis", 1)
    return range(rank if axis == rank else node.normal_axis(axis, rank), rank)


@onnx_op("Softmax")
def softmax(node: Node, build: GraphBuilder) -> Value:
    """exp(x - max) / sum(exp(x - max)): no exponential overflows."""
    operand, axes = node.input(0), _axes(node)
    highest = build.reduce(operand, axes, Combiner.MAXIMUM)
    powers = build.pointwise(
        [operand, highest], operand.shape, lambda x, top: scalars.exponential(scalars.subtract(x, top))
    )
    total = build.reduce(powers, axes, Combiner.ADD)
    return build.pointwise([powers, total], operand.shape, scalars.divide)


@onnx_op("LogSoftmax")
def log_softmax(node: Node, build: GraphBuilder) -> Value:
    """x - max - log(sum(exp(x - max)))."""
    operand, axes = node.input(0), _axes(node)
    highest = build.reduce(operand, axes, Combiner.MAXIMUM)
    shifted = build.pointwise([operand, highest], operand.shape, scalars.subtract)
    total = build.reduce(shifted, axes, Combiner.ADD, body=scalars.exponential)
    return build.pointwise([shifted, total], operand.shape, lambda x, s: scalars.subtract(x, scalars.logarithm(s)))
