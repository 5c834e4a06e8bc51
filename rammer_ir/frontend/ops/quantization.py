"""
QuantizeLinear and DequantizeLinear: for a whole tensor, along an axis, or in blocks of one.

Scale and zero point of a tensor x are numbers; or vectors, one number for each index of an axis; or tensors with as
many dimensions as x, where each number is for a block of elements along an axis.
"""

import numpy as np
from xdsl.dialects import math
from xdsl.dialects.builtin import f32, i32
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.frontend import scalars
from rammer_ir.frontend.conversions import convert_element, widened
from rammer_ir.frontend.element_types import DType, dtype_of_onnx, element_type, integer_range, is_floating
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.names import quoted
from rammer_ir.frontend.narrow_floats import is_narrow
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.views import reshaped
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value

_FAR = float(1 << 17)
"""Beyond it, a quotient is out of the range of all quantised types, whatever the zero point."""


@onnx_op("QuantizeLinear", since=10)
def quantize_linear(node: Node, build: GraphBuilder) -> Value:
    """saturate(round(x / scale) + zero point), the division in the scale's type, or that of attribute `precision`."""
    operand, scale = node.input(0), node.input(1)
    element = element_type(_output_dtype(node), "the result")
    precision = node.integer("precision", 0)
    what = f"the precision of {quoted(node.label)}"
    division = element_type(dtype_of_onnx(precision, what), what) if precision else _arithmetic_type(scale)
    saturate = node.integer("saturate", 1) != 0
    operands = [operand, *_along(node, build, operand, scale), *_zero_point(node, build, operand)]

    def body(x: SSAValue, by: SSAValue, *zero: SSAValue) -> SSAValue:
        quotient = scalars.divide(scalars.convert(x, division), scalars.convert(widened(by), division))
        if is_narrow(element):
            shifted = scalars.add(scalars.convert(quotient, f32), widened(zero[0])) if zero else quotient
            return convert_element(shifted, element, saturate=saturate)
        return _quantized(quotient, element, *zero)

    return build.pointwise(operands, operand.shape, body, element)


def _quantized(quotient: SSAValue, element: Attribute, *zero: SSAValue) -> SSAValue:
    """The quotient rounded to an integer, ties to even, with the zero point added; within the type's range."""
    rounded = math.RoundEvenOp(scalars.convert(quotient, f32)).result
    below, far = scalars.minimum(rounded, scalars.constant(_FAR, f32)), scalars.constant(-_FAR, f32)
    # What is no number becomes the least one.
    near = scalars.select(scalars.compare("gt", below, far), below, far)
    total = scalars.convert(near, i32)
    for offset in zero:
        total = scalars.add(total, scalars.convert(widened(offset), i32))
    low, high = integer_range(element)
    within = scalars.minimum(scalars.maximum(total, scalars.constant(low, i32)), scalars.constant(high, i32))
    return convert_element(within, element)


@onnx_op("DequantizeLinear", since=10)
def dequantize_linear(node: Node, build: GraphBuilder) -> Value:
    """(x - zero point) * scale, computed in float32 and rounded to the result's type."""
    operand, scale = node.input(0), node.input(1)
    element = element_type(_output_dtype(node), "the result")
    operands = [operand, *_along(node, build, operand, scale), *_zero_point(node, build, operand)]

    def body(x: SSAValue, by: SSAValue, *zero: SSAValue) -> SSAValue:
        difference = _difference(widened(x), *(widened(offset) for offset in zero))
        return scalars.convert(
            scalars.multiply(scalars.convert(difference, f32), scalars.convert(widened(by), f32)), element
        )

    return build.pointwise(operands, operand.shape, body, element)


def _difference(value: SSAValue, *zero: SSAValue) -> SSAValue:
    """The value less the zero point, if there is one: a float32, or an i32."""
    if not zero:
        return value
    kind = f32 if scalars.is_float(value) else i32
    return scalars.subtract(scalars.convert(value, kind), scalars.convert(zero[0], kind))


def _arithmetic_type(scale: Value) -> Attribute:
    """The type to divide in by a scale: its own, or float32 by an integer or a power of two."""
    return scale.element_type if is_floating(scale.dtype) else f32


def _output_dtype(node: Node) -> DType:
    inferred = node.output_types[0]
    if inferred is None:
        raise node.error("has a result of no known type")
    return inferred.dtype


def _zero_point(node: Node, build: GraphBuilder, operand: Value) -> list[Value]:
    """The zero point for each element; nothing where it is 0 for all."""
    zero = node.optional_input(2)
    if zero is None or (zero.constant is not None and not np.any(zero.constant.astype(np.float32))):
        return []
    return _along(node, build, operand, zero)


def _along(node: Node, build: GraphBuilder, operand: Value, given: Value) -> list[Value]:
    """A scale or zero point in a shape that spreads to the operand's."""
    if np.prod(given.shape) == 1:
        return [reshaped(build, given, ())]
    axis = node.axis("axis", 1, operand.rank)
    if given.shape == operand.shape[axis : axis + 1]:
        return [reshaped(build, given, (*given.shape, *(1,) * (operand.rank - axis - 1)))]
    block = node.integer("block_size", 0)
    blocks = [-(-extent // block) if block > 0 and dim == axis else extent for dim, extent in enumerate(operand.shape)]
    if block <= 0 or list(given.shape) != blocks:
        raise node.error(f"has scales of shape {list(given.shape)} for a tensor of shape {list(operand.shape)}")
    indices: list[AffineExpr] = list(loop_dims(operand.rank))
    indices[axis] = indices[axis] // block
    return [build.view(given, operand.shape, indices)]
