"""Normalisation of channels: over a batch, by known statistics or its own, and over each instance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from xdsl.dialects.builtin import f32
from xdsl.ir import Attribute, SSAValue

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.views import reshaped
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("BatchNormalization", since=1)
def batch_normalization(node: Node, build: GraphBuilder) -> list[Value | None]:
    """
    scale (x - mean) / sqrt(variance + epsilon) + bias, per channel.

    In training mode mean and variance are the batch's own; the further results are then those given, moved towards the
    batch's, and (before opset 14) the batch's. All is computed in the type of the statistics, which may be wider than
    that of x.
    """
    parameters = _parameters(node)
    epsilon = node.floating("epsilon", 1e-5)
    if not _is_training(node):
        return [_normalized(build, parameters, epsilon)]
    mean, variance = _channel_statistics(build, parameters.operand, parameters.variance.element_type)
    result = _normalized(build, replace(parameters, mean=mean, variance=variance), epsilon)
    momentum = node.floating("momentum", 0.9)

    def moved(kept: SSAValue, new: SSAValue) -> SSAValue:
        share = scalars.multiply(new, scalars.constant_like(1 - momentum, new))
        return scalars.add(scalars.multiply(kept, scalars.constant_like(momentum, kept)), share)

    running_mean = build.pointwise([parameters.mean, mean], mean.shape, moved)
    running_variance = build.pointwise([parameters.variance, variance], mean.shape, moved)
    return [result, running_mean, running_variance, *([mean, variance] if node.opset < 14 else [])]


def _is_training(node: Node) -> bool:
    if node.opset >= 14:
        return node.integer("training_mode", 0) != 0
    if node.opset < 7:
        return node.integer("is_test", 0) == 0
    return any(node.is_used(output) for output in range(1, 5))


def _channel_statistics(build: GraphBuilder, operand: Value, element: Attribute) -> tuple[Value, Value]:
    """Mean and variance [C] of each channel of x [N, C, ...], in the given type."""
    axes = [axis for axis in range(operand.rank) if axis != 1]
    mean, squares, _ = _moments(build, operand, axes, element)
    return reshaped(build, mean, (operand.shape[1],)), reshaped(build, squares, (operand.shape[1],))


def _moments(
    build: GraphBuilder, operand: Value, axes: Sequence[int], element: Attribute
) -> tuple[Value, Value, Value]:
    """Mean and variance over some dimensions, which are kept as 1, and what each element differs from the mean."""
    count = prod(operand.shape[axis] for axis in axes)

    def mean_of(total: SSAValue) -> SSAValue:
        return scalars.divide(total, scalars.constant_like(count, total))

    def difference(x: SSAValue, m: SSAValue) -> SSAValue:
        return scalars.subtract(scalars.convert(x, element), m)

    total = build.reduce(operand, axes, Combiner.ADD, body=lambda x: scalars.convert(x, element), element_type=element)
    mean = build.pointwise([total], total.shape, mean_of)
    deviation = build.pointwise([operand, mean], operand.shape, difference, element)
    squares = build.reduce(deviation, axes, Combiner.ADD, body=lambda d: scalars.multiply(d, d))
    return mean, build.pointwise([squares], squares.shape, mean_of), deviation


@dataclass(frozen=True)
class _Parameters:
    """The inputs: x [N, C, ...], and one number a channel of each of the others."""

    operand: Value
    scale: Value
    bias: Value
    mean: Value
    variance: Value


def _parameters(node: Node) -> _Parameters:
    """The node's inputs, checked."""
    if not node.integer("spatial", 1):
        raise node.error("not per channel is not supported")
    operand, *others = (node.input(position) for position in range(5))
    if operand.rank < 2:
        raise node.error("needs an input of two or more dimensions")
    channels = (operand.shape[1],)
    if any(value.shape != channels for value in others):
        raise node.error(f"has parameters that are not one for each of {channels[0]} channels")
    return _Parameters(operand, *others)


def _normalized(build: GraphBuilder, parameters: _Parameters, epsilon: float) -> Value:
    """As factor x + addend: at inference the two depend on parameters alone, so that they become derived weights."""
    operand, channels = parameters.operand, parameters.scale.shape
    element = parameters.variance.element_type

    def widen(x: SSAValue) -> SSAValue:
        return scalars.convert(x, element)

    def factor_of(v: SSAValue, s: SSAValue) -> SSAValue:
        return scalars.divide(widen(s), scalars.square_root(scalars.add(v, scalars.constant_like(epsilon, v))))

    factor = build.pointwise([parameters.variance, parameters.scale], channels, factor_of)
    addend = build.pointwise(
        [parameters.mean, factor, parameters.bias],
        channels,
        lambda m, f, b: scalars.subtract(widen(b), scalars.multiply(m, f)),
    )
    dims = loop_dims(operand.rank)
    per_channel = [Read(build.read(value), [dims[1]]) for value in (factor, addend)]
    return build.generic(
        operand.shape,
        [Read(build.read(operand), dims), *per_channel],
        [Write(operand.type, dims)],
        lambda x, f, a: scalars.convert(scalars.add(scalars.multiply(widen(x), f), a), operand.element_type),
    )[0]


@onnx_op("InstanceNormalization", since=1)
def instance_normalization(node: Node, build: GraphBuilder) -> Value:
    """
    scale (x - mean) / sqrt(variance + epsilon) + bias, with statistics of each channel of each instance.

    Numbers of 16 bits are computed with as 32.
    """
    operand, scale, bias = (node.input(position) for position in range(3))
    if operand.rank < 2 or any(value.shape != (operand.shape[1],) for value in (scale, bias)):
        raise node.error("needs an input of two or more dimensions, and a scale and a bias for each of its channels")
    epsilon = node.floating("epsilon", 1e-5)
    element = f32 if operand.dtype.itemsize == 2 else operand.element_type
    _, variance, deviation = _moments(build, operand, range(2, operand.rank), element)

    def inverse_of(v: SSAValue) -> SSAValue:
        return scalars.reciprocal(scalars.square_root(scalars.add(v, scalars.constant_like(epsilon, v))))

    inverse = build.pointwise([variance], variance.shape, inverse_of)
    per_channel = (operand.shape[1], *[1] * (operand.rank - 2))

    def body(d: SSAValue, i: SSAValue, *parameters: SSAValue) -> SSAValue:
        s, b = (scalars.convert(parameter, element) for parameter in parameters)
        product = scalars.multiply(scalars.multiply(d, i), s)
        return scalars.convert(scalars.add(product, b), operand.element_type)

    parameters = [reshaped(build, value, per_channel) for value in (scale, bias)]
    return build.pointwise([deviation, inverse, *parameters], operand.shape, body, operand.element_type)
