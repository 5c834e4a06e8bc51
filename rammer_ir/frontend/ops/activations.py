"""Element-wise functions with parameters."""

from collections.abc import Callable

from xdsl.ir import SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.shapes import broadcast_shape
from rammer_ir.frontend.ops.views import reshaped
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


def _pointwise(node: Node, build: GraphBuilder, body: Callable[[SSAValue], SSAValue]) -> Value:
    operand = node.input(0)
    return build.pointwise([operand], operand.shape, body)


def _where_negative(value: SSAValue, if_negative: SSAValue) -> SSAValue:
    is_negative = scalars.compare("lt", value, scalars.constant_like(0, value))
    return scalars.select(is_negative, if_negative, value)


@onnx_op("LeakyRelu")
def leaky_relu(node: Node, build: GraphBuilder) -> Value:
    """x, or alpha x where x < 0."""
    alpha = node.floating("alpha", 0.01)
    return _pointwise(node, build, lambda x: _where_negative(x, scalars.multiply(scalars.constant_like(alpha, x), x)))


@onnx_op("ThresholdedRelu", since=1)
def thresholded_relu(node: Node, build: GraphBuilder) -> Value:
    """x where x > alpha, else 0."""
    alpha = node.floating("alpha", 1.0)

    def body(x: SSAValue) -> SSAValue:
        is_above = scalars.compare("gt", x, scalars.constant_like(alpha, x))
        return scalars.select(is_above, x, scalars.constant_like(0, x))

    return _pointwise(node, build, body)


@onnx_op("Shrink", since=9)
def shrink(node: Node, build: GraphBuilder) -> Value:
    """x + bias where x < -lambd, x - bias where x > lambd, else 0."""
    bias, limit = node.floating("bias", 0.0), node.floating("lambd", 0.5)

    def body(x: SSAValue) -> SSAValue:
        shift = scalars.constant_like(bias, x)
        above = scalars.compare("gt", x, scalars.constant_like(limit, x))
        below = scalars.compare("lt", x, scalars.constant_like(-limit, x))
        not_above = scalars.select(below, scalars.add(x, shift), scalars.constant_like(0, x))
        return scalars.select(above, scalars.subtract(x, shift), not_above)

    return _pointwise(node, build, body)


@onnx_op("PRelu", until=6)
def parametric_relu_of_channels(node: Node, build: GraphBuilder) -> Value:
    """x, or slope x where x < 0; the slope is one for all elements, or one for each channel."""
    operand, slope = node.input(0), node.input(1)
    if slope.rank > 1 or (slope.shape != (1,) and slope.shape != operand.shape[1:2]):
        raise node.error(f"has a slope of shape {list(slope.shape)} for an input of shape {list(operand.shape)}")
    spatial = (1,) * max(operand.rank - 2, 0)
    return _parametric_relu(build, operand, reshaped(build, slope, (*slope.shape, *spatial)))


@onnx_op("PRelu", since=7)
def parametric_relu(node: Node, build: GraphBuilder) -> Value:
    """x, or slope x where x < 0; the slope is broadcast to x."""
    return _parametric_relu(build, node.input(0), node.input(1))


def _parametric_relu(build: GraphBuilder, operand: Value, slope: Value) -> Value:
    return build.pointwise([operand, slope], operand.shape, lambda x, s: _where_negative(x, scalars.multiply(s, x)))


@onnx_op("Elu")
def elu(node: Node, build: GraphBuilder) -> Value:
    """x, or alpha (exp(x) - 1) where x < 0."""
    alpha = node.floating("alpha", 1.0)
    return _pointwise(
        node,
        build,
        lambda x: _where_negative(
            x, scalars.multiply(scalars.constant_like(alpha, x), scalars.exponential_minus_one(x))
        ),
    )


@onnx_op("Selu")
def selu(node: Node, build: GraphBuilder) -> Value:
    """gamma x, or gamma alpha (exp(x) - 1) where x < 0."""
    alpha = node.floating("alpha", 1.67326319217681884765625)
    gamma = node.floating("gamma", 1.05070102214813232421875)

    def body(x: SSAValue) -> SSAValue:
        below = scalars.multiply(scalars.constant_like(alpha, x), scalars.exponential_minus_one(x))
        return scalars.multiply(scalars.constant_like(gamma, x), _where_negative(x, below))

    return _pointwise(node, build, body)


@onnx_op("Gelu", since=20)
def gelu(node: Node, build: GraphBuilder) -> Value:
    """x P(X <= x) for a normal X, exact or by tanh."""
    approximate = node.string("approximate", "none")
    return _pointwise(node, build, scalars.gelu_by_tanh if approximate == "tanh" else scalars.gelu)


def _hard_sigmoid(x: SSAValue, alpha: float, beta: float) -> SSAValue:
    line = scalars.add(scalars.multiply(scalars.constant_like(alpha, x), x), scalars.constant_like(beta, x))
    return scalars.minimum(scalars.maximum(line, scalars.constant_like(0, x)), scalars.constant_like(1, x))


@onnx_op("HardSigmoid")
def hard_sigmoid(node: Node, build: GraphBuilder) -> Value:
    """alpha x + beta, between 0 and 1."""
    alpha, beta = node.floating("alpha", 0.2), node.floating("beta", 0.5)
    return _pointwise(node, build, lambda x: _hard_sigmoid(x, alpha, beta))


@onnx_op("HardSwish", since=14)
def hard_swish(node: Node, build: GraphBuilder) -> Value:
    """x times the HardSigmoid of slope 1/6."""
    return _pointwise(node, build, lambda x: scalars.multiply(x, _hard_sigmoid(x, 1 / 6, 0.5)))


@onnx_op("Clip", since=6, until=10)
def clip_to_attributes(node: Node, build: GraphBuilder) -> Value:
    """x between two numbers, each optional."""
    low = node.floating("min", float("-inf"))
    high = node.floating("max", float("inf"))

    def body(x: SSAValue) -> SSAValue:
        bounded = scalars.maximum(x, scalars.constant_like(low, x)) if node.has("min") else x
        return scalars.minimum(bounded, scalars.constant_like(high, x)) if node.has("max") else bounded

    if not node.has("min") and not node.has("max"):
        return node.input(0)
    return _pointwise(node, build, body)


@onnx_op("Clip", since=11)
def clip(node: Node, build: GraphBuilder) -> Value:
    """x between two scalars, each optional; the higher bound wins."""
    operand, low, high = node.input(0), node.optional_input(1), node.optional_input(2)
    bounds = [bound for bound in (low, high) if bound is not None]

    def body(x: SSAValue, *limits: SSAValue) -> SSAValue:
        remaining = iter(limits)
        bounded = x if low is None else scalars.maximum(x, next(remaining))
        return bounded if high is None else scalars.minimum(bounded, next(remaining))

    if not bounds:
        return operand
    scalars_only = [bound for bound in bounds if bound.rank == 0 or bound.shape == (1,)]
    if len(scalars_only) != len(bounds) or broadcast_shape(node, [operand, *bounds]) != operand.shape:
        raise node.error("needs scalars as bounds")
    return build.pointwise([operand, *bounds], operand.shape, body)
