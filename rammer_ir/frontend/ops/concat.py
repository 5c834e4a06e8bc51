"""Concat."""

from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("Concat", since=4)
def concat(node: Node, build: GraphBuilder) -> Value:
    """The inputs one behind the other in a dimension; those without elements are left out."""
    values = [node.input(position) for position in range(len(node.inputs))]
    axis = node.axis("axis", 0, values[0].rank)
    return build.concatenate([value for value in values if value.shape[axis] > 0], axis)
