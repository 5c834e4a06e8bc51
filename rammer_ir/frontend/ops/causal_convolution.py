"""Convolution of each channel with what came before, and the state to go on from."""

import numpy as np
from xdsl.dialects.builtin import TensorType

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.views import reshaped, sliced
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("CausalConvWithState", since=27)
def causal_convolution(node: Node, build: GraphBuilder) -> list[Value | None]:
    """
    y[t] = act(sum over i of w[i] x[t + i - (k - 1)] + bias), for each channel of x [B, C, T] with w [C, 1, k].

    Before x comes the past [B, C, k - 1], or zeros; the second result is the past of what follows.
    """
    operand, weight, bias = node.input(0), node.input(1), node.optional_input(2)
    if operand.rank != 3 or weight.rank != 3 or weight.shape[:2] != (operand.shape[1], 1):
        raise node.error("needs an input [batch, channels, length] and a weight [channels, 1, size]")
    past = node.optional_input(3)
    before = weight.shape[2] - 1
    if past is not None and past.shape != (*operand.shape[:2], before):
        raise node.error(f"has a past of shape {list(past.shape)}, not {[*operand.shape[:2], before]}")
    known = operand if past is None or before == 0 else build.concatenate([past, operand], 2)
    # What comes before `known` is read as 0.
    missing = before if known is operand else 0
    products = _products(build, known, weight, operand.shape[2], missing)
    result = _activated(node, build, products, bias)
    return [result, _state(build, known, before, missing) if node.is_used(1) else None]


def _products(build: GraphBuilder, known: Value, weight: Value, steps: int, missing: int) -> Value:
    batch, channels, _ = known.shape
    image, channel, step, tap = loop_dims(4)
    shape = (batch, channels, steps)
    return build.generic(
        [*shape, weight.shape[2]],
        [
            Read(build.read(known), [image, channel, step + tap - missing], pad=0.0 if missing else None),
            Read(build.read(reshaped(build, weight, (channels, weight.shape[2]))), [channel, tap]),
        ],
        [Write(TensorType(known.element_type, shape), [image, channel, step], Combiner.ADD)],
        scalars.multiply,
    )[0]


def _activated(node: Node, build: GraphBuilder, products: Value, bias: Value | None) -> Value:
    activation = node.string("activation", "none")
    if activation not in ("none", "silu", "swish"):
        raise node.error(f"has an activation that is not known: {activation!r}")
    result = products
    if bias is not None:
        column = reshaped(build, bias, (products.shape[1], 1))
        result = build.pointwise([products, column], products.shape, scalars.add)
    if activation == "none":
        return result
    return build.pointwise([result], result.shape, lambda x: scalars.multiply(x, scalars.sigmoid(x)))


def _state(build: GraphBuilder, known: Value, before: int, missing: int) -> Value:
    """The last elements of each channel, with zeros before them where there are too few."""
    batch, channels, length = known.shape
    if before == 0:
        return build.constant(np.zeros((batch, channels, 0), known.dtype), "state")
    if length >= before:
        return sliced(build, known, 2, length - before, before)
    dims = loop_dims(3)
    read = Read(build.read(known), [dims[0], dims[1], dims[2] - (before - length)], pad=0.0)
    write = Write(TensorType(known.element_type, (batch, channels, before)), dims)
    return build.generic((batch, channels, before), [read], [write], lambda element: element)[0]
