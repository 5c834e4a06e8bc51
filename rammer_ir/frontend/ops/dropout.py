"""Dropout: nothing at inference; in training a random choice of elements is kept."""

import numpy as np
from xdsl.dialects.builtin import f32, i1
from xdsl.ir import SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.generated import generated
from rammer_ir.frontend.ops.philox import uniform
from rammer_ir.frontend.ops.random_numbers import element_words, random_key
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("Dropout", since=1)
def dropout(node: Node, build: GraphBuilder) -> list[Value | None]:
    """
    The input; in training mode, of which only constants say so, the elements of a random mask over 1 - ratio.

    The mask, which is the second result, is the one that ONNX's own evaluator makes of the node's seed; without a
    seed it is one of our own (see `rammer_ir.frontend.ops.random_numbers`).
    """
    operand, ratio = node.input(0), _ratio(node)
    if not 0 <= ratio < 1:
        raise node.error(f"has a ratio of {ratio}")
    if ratio == 0 or not _is_training(node):
        return [operand, _ones(node, build) if node.is_used(1) else None]
    mask = _mask(node, build, ratio)

    def body(x: SSAValue, kept: SSAValue) -> SSAValue:
        scaled = scalars.multiply(x, scalars.constant_like(1 / (1 - ratio), x))
        return scalars.select(kept, scaled, scalars.constant_like(0, x))

    result = build.pointwise([operand, mask], operand.shape, body)
    return [result, _of_mask_type(node, build, mask) if node.is_used(1) else None]


def _ratio(node: Node) -> float:
    if node.opset < 12:
        return node.floating("ratio", 0.5)
    given = node.optional_constant(1, "ratio") if _is_training(node) else None
    return 0.5 if given is None else float(given.reshape(()))


def _is_training(node: Node) -> bool:
    if node.opset < 7:
        return node.integer("is_test", 0) == 0
    training = node.optional_constant(2, "training_mode") if node.opset >= 12 else None
    return training is not None and bool(training.reshape(()))


def _ones(node: Node, build: GraphBuilder) -> Value:
    inferred = node.output_types[1]
    return build.constant(np.ones(node.input(0).shape, bool if inferred is None else inferred.dtype), "mask")


def _of_mask_type(node: Node, build: GraphBuilder, mask: Value) -> Value:
    if node.opset >= 10:
        return mask
    element = node.input(0).element_type
    return build.pointwise([mask], mask.shape, lambda kept: scalars.convert(kept, element), element)


def _mask(node: Node, build: GraphBuilder, ratio: float) -> Value:
    shape = node.input(0).shape
    if node.has("seed"):
        generator = np.random.RandomState(node.integer("seed", 0))
        return build.constant(generator.uniform(0, 1, shape) >= ratio, "mask")
    key = random_key(node)

    def body() -> SSAValue:
        return scalars.compare("ge", uniform(element_words(shape, key), f32), scalars.constant(ratio, f32))

    return generated(build, shape, i1, body)
