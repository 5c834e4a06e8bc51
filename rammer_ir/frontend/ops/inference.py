"""Ops that do nothing at inference."""

from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("Identity")
def identity(node: Node, build: GraphBuilder) -> Value:
    return node.input(0)


@onnx_op("Dropout", since=7, until=11)
def dropout(node: Node, build: GraphBuilder) -> Value:
    node.refuse_outputs_from(1)
    return node.input(0)


@onnx_op("Dropout", since=12)
def dropout_12(node: Node, build: GraphBuilder) -> Value:
    """Dropout with the mode as an input, which must say inference."""
    training = node.optional_constant(2, "training_mode")
    if training is not None and training.reshape(()):
        raise node.error("is in training mode, which is not supported")
    node.refuse_outputs_from(1)
    return node.input(0)
