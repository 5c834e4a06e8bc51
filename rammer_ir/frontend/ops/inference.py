"""Ops that do nothing."""

from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("Identity")
def identity(node: Node, build: GraphBuilder) -> Value:
    return node.input(0)
