"""Normalisation over a layer and over neighbouring channels, and by a norm."""

from math import prod

from xdsl.dialects.builtin import f32
from xdsl.ir import SSAValue

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("LayerNormalization", since=17)
def layer_normalization(node: Node, build: GraphBuilder) -> list[Value | None]:
    """
    scale (x - mean) / sqrt(variance + epsilon) + bias over the dimensions from the axis on.

    Numbers of 16 bits are computed with as 32. The further results are the mean and 1 / sqrt(variance + epsilon).
    """
    operand, scale, bias = node.input(0), node.input(1), node.optional_input(2)
    axes = range(node.axis("axis", -1, operand.rank), operand.rank)
    epsilon = node.floating("epsilon", 1e-5)
    stash = f32 if node.integer("stash_type", 1) == 1 else operand.element_type
    elements = prod(operand.shape[axis] for axis in axes)

    def mean_of(total: SSAValue) -> SSAValue:
        return scalars.divide(total, scalars.constant_like(elements, total))

    def inverse_of(total: SSAValue) -> SSAValue:
        variance = scalars.add(mean_of(total), scalars.constant_like(epsilon, total))
        return scalars.reciprocal(scalars.square_root(variance))

    def widen(x: SSAValue) -> SSAValue:
        return scalars.convert(x, stash)

    total = build.reduce(operand, axes, Combiner.ADD, body=widen, element_type=stash)
    mean = build.pointwise([total], total.shape, mean_of)
    deviation = build.pointwise([operand, mean], operand.shape, lambda x, m: scalars.subtract(widen(x), m), stash)
    squares = build.reduce(deviation, axes, Combiner.ADD, body=lambda d: scalars.multiply(d, d))
    inverse = build.pointwise([squares], squares.shape, inverse_of)

    def scaled(d: SSAValue, i: SSAValue, s: SSAValue, *b: SSAValue) -> SSAValue:
        normal = scalars.convert(scalars.multiply(d, i), operand.element_type)
        product = scalars.multiply(normal, s)
        return scalars.add(product, b[0]) if b else product

    parameters = [scale] if bias is None else [scale, bias]
    result = build.pointwise([deviation, inverse, *parameters], operand.shape, scaled, operand.element_type)
    return [result, mean, inverse]


@onnx_op("LRN", since=1)
def local_response_normalization(node: Node, build: GraphBuilder) -> Value:
    """x / (bias + alpha/size * sum of squares over `size` neighbouring channels)^beta."""
    operand, size = node.input(0), node.integer("size", 0)
    if operand.rank < 2 or size <= 0:
        raise node.error("needs a size and an input of two or more dimensions")
    dims = loop_dims(operand.rank + 1)
    neighbour = dims[1] + dims[-1] - (size - 1) // 2
    squares = build.generic(
        [*operand.shape, size],
        [Read(build.read(operand), [dims[0], neighbour, *dims[2:-1]], pad=0.0)],
        [Write(operand.type, dims[:-1], Combiner.ADD)],
        lambda x: scalars.multiply(x, x),
    )[0]
    slope = node.floating("alpha", 1e-4) / size
    exponent, bias = node.floating("beta", 0.75), node.floating("bias", 1.0)

    def body(x: SSAValue, total: SSAValue) -> SSAValue:
        base = scalars.add(scalars.constant_like(bias, x), scalars.multiply(scalars.constant_like(slope, x), total))
        return scalars.divide(x, scalars.power(base, scalars.constant_like(exponent, x)))

    return build.pointwise([operand, squares], operand.shape, body)


@onnx_op("LpNormalization", since=1)
def lp_normalization(node: Node, build: GraphBuilder) -> Value:
    """x divided by its L1 or L2 norm along an axis; 0 where the norm is 0."""
    operand = node.input(0)
    axis, order = node.axis("axis", -1, operand.rank), node.integer("p", 2)
    if order not in (1, 2):
        raise node.error(f"has a norm of order {order}; those of 1 and 2 are known")

    def term_of(x: SSAValue) -> SSAValue:
        return scalars.absolute(x) if order == 1 else scalars.multiply(x, x)

    total = build.reduce(operand, [axis], Combiner.ADD, body=term_of)
    norm = total if order == 1 else build.pointwise([total], total.shape, scalars.square_root)

    def body(x: SSAValue, n: SSAValue) -> SSAValue:
        zero = scalars.constant_like(0, x)
        return scalars.select(scalars.compare("eq", n, zero), zero, scalars.divide(x, n))

    return build.pointwise([operand, norm], operand.shape, body)
