"""
Products and convolutions of quantised tensors.

They are those of 32-bit integers: of what the tensors hold, less their zero points. Sums wrap.
"""

from math import prod

import numpy as np
from xdsl.dialects import math
from xdsl.dialects.builtin import f64, i32
from xdsl.ir import SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.element_types import element_type, integer_range, integer_width
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.contraction import matrix_product
from rammer_ir.frontend.ops.convolution import biased, convolution
from rammer_ir.frontend.ops.views import reshaped
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("MatMulInteger", since=10)
def matmul_integer(node: Node, build: GraphBuilder) -> Value:
    """The product of A and B, each less its zero point: of the tensor, of A's rows, of B's columns."""
    lhs = _centred(build, node.input(0), _of_rows(build, node.input(0), node.optional_input(2)))
    return matrix_product(node, build, lhs, _centred(build, node.input(1), node.optional_input(3)))


@onnx_op("QLinearMatMul", since=10)
def qlinear_matmul(node: Node, build: GraphBuilder) -> Value:
    """The product of A and B in real numbers, quantised."""
    lhs, rhs = node.input(0), node.input(3)
    lhs_scale = _of_rows(build, lhs, node.input(1))
    product = matrix_product(
        node,
        build,
        _centred(build, lhs, _of_rows(build, lhs, node.optional_input(2))),
        _centred(build, rhs, node.optional_input(5)),
    )
    return _requantized(node, build, product, [lhs_scale, node.input(4), node.input(6)])


@onnx_op("ConvInteger", since=10)
def conv_integer(node: Node, build: GraphBuilder) -> Value:
    """The convolution of x and w, each less its zero point: of the tensor, of w's output channels. Padding is 0."""
    filters = node.input(1)
    image = _centred(build, node.input(0), node.optional_input(2))
    zero = _of_filters(build, filters, node.optional_input(3))
    return convolution(node, build, image, _centred(build, filters, zero))


@onnx_op("QLinearConv", since=10)
def qlinear_conv(node: Node, build: GraphBuilder) -> Value:
    """The convolution of x and w in real numbers, quantised; the bias has the scale of the products."""
    filters, bias = node.input(3), node.optional_input(8)
    image = _centred(build, node.input(0), node.optional_input(2))
    weights = _centred(build, filters, _of_filters(build, filters, node.optional_input(5)))
    result = convolution(node, build, image, weights)
    if bias is not None:
        result = biased(node, build, result, bias)
    scale = node.input(4)
    if prod(scale.shape) > 1:
        scale = reshaped(build, scale, (*scale.shape, *(1,) * (result.rank - 2)))
    return _requantized(node, build, result, [node.input(1), scale, node.input(6)])


def _centred(build: GraphBuilder, value: Value, zero: Value | None) -> Value:
    """The integers less their zero point, which spreads to them, as i32."""
    if zero is None or (zero.constant is not None and not np.any(zero.constant)):
        return build.pointwise([value], value.shape, lambda x: scalars.convert(x, i32), i32)

    def body(x: SSAValue, offset: SSAValue) -> SSAValue:
        return scalars.subtract(scalars.convert(x, i32), scalars.convert(offset, i32))

    return build.pointwise([value, _number_or_tensor(build, zero)], value.shape, body, i32)


def _of_rows(build: GraphBuilder, matrix: Value, given: Value | None) -> Value | None:
    """A vector of something for each row of a matrix as a column."""
    if given is None or given.rank != 1 or prod(given.shape) == 1 or matrix.rank < 2:
        return given
    return reshaped(build, given, (*given.shape, 1))


def _of_filters(build: GraphBuilder, filters: Value, given: Value | None) -> Value | None:
    """A vector of something for each output channel, in a shape that spreads to the filters."""
    if given is None or prod(given.shape) == 1:
        return given
    return reshaped(build, given, (*given.shape, *(1,) * (filters.rank - 1)))


def _number_or_tensor(build: GraphBuilder, value: Value) -> Value:
    return reshaped(build, value, ()) if prod(value.shape) == 1 else value


def _requantized(node: Node, build: GraphBuilder, sums: Value, scales: list[Value | None]) -> Value:
    """
    saturate(round(sums * (a scale * b scale / y scale)) + zero point), ties to even.

    The factor is computed in the type of the scales, all else in float64, in which sums and factors are exact.
    """
    zero = node.input(7)
    element = element_type(zero.dtype, "the result")
    if not integer_width(element):
        raise node.error(f"with a result of type {zero.dtype} is not supported")
    low, high = integer_range(element)
    given = [_number_or_tensor(build, scale) for scale in scales if scale is not None]

    def body(*elements: SSAValue) -> SSAValue:
        total, lhs, rhs, by, offset = elements
        factor = scalars.divide(scalars.multiply(lhs, rhs), by)
        scaled = scalars.multiply(scalars.convert(total, f64), scalars.convert(factor, f64))
        shifted = scalars.add(math.RoundEvenOp(scaled).result, scalars.convert(offset, f64))
        within = scalars.minimum(scalars.maximum(shifted, scalars.constant(low, f64)), scalars.constant(high, f64))
        return scalars.convert(scalars.convert(within, i32), element)

    return build.pointwise([sums, *given, _number_or_tensor(build, zero)], sums.shape, body, element)
