"""Element-wise functions of one tensor without parameters, and Cast."""

from collections.abc import Callable
from typing import Final

import onnx
from xdsl.dialects import math
from xdsl.ir import Operation, SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.conversions import convert_element, reinterpret
from rammer_ir.frontend.element_types import dtype_of_onnx, element_type
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.names import quoted
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


def _of_op(op: Callable[[SSAValue], Operation]) -> Callable[[SSAValue], SSAValue]:
    return lambda value: op(value).results[0]


_FUNCTIONS: Final[dict[str, tuple[int, Callable[[SSAValue], SSAValue]]]] = {
    "Abs": (1, scalars.absolute),
    "Acos": (7, _of_op(math.AcosOp)),
    "Acosh": (9, _of_op(math.AcoshOp)),
    "Asin": (7, _of_op(math.AsinOp)),
    "Asinh": (9, _of_op(math.AsinhOp)),
    "Atan": (7, _of_op(math.AtanOp)),
    "Atanh": (9, _of_op(math.AtanhOp)),
    "Ceil": (1, _of_op(math.CeilOp)),
    "Cos": (7, _of_op(math.CosOp)),
    "Cosh": (9, _of_op(math.CoshOp)),
    "Erf": (9, scalars.error_function),
    "Exp": (1, scalars.exponential),
    "Floor": (1, _of_op(math.FloorOp)),
    "Log": (1, scalars.logarithm),
    "Neg": (1, scalars.negative),
    "Not": (1, scalars.complement),
    "Reciprocal": (1, scalars.reciprocal),
    "Relu": (1, lambda value: scalars.maximum(value, scalars.constant_like(0, value))),
    "Round": (11, _of_op(math.RoundEvenOp)),
    "Sigmoid": (1, scalars.sigmoid),
    "Sign": (9, scalars.sign),
    "Sin": (7, _of_op(math.SinOp)),
    "Sinh": (9, _of_op(math.SinhOp)),
    "Softplus": (1, scalars.softplus),
    "Softsign": (
        1,
        lambda value: scalars.divide(value, scalars.add(scalars.constant_like(1, value), scalars.absolute(value))),
    ),
    "Sqrt": (1, scalars.square_root),
    "Tan": (7, _of_op(math.TanOp)),
    "Tanh": (1, scalars.hyperbolic_tangent),
}
"""By op: the first opset with today's meaning, and the function."""


def _importer(function: Callable[[SSAValue], SSAValue]) -> Callable[[Node, GraphBuilder], Value]:
    def import_unary(node: Node, build: GraphBuilder) -> Value:
        operand = node.input(0)
        return build.pointwise([operand], operand.shape, function)

    return import_unary


for _name, (_since, _function) in _FUNCTIONS.items():
    onnx_op(_name, since=_since)(_importer(_function))


@onnx_op("Cast", since=6)
def cast_elements(node: Node, build: GraphBuilder) -> Value:
    """A conversion; floats go towards zero to integers, and to the nearest to floats."""
    operand = node.input(0)
    return _converted(node, build, operand, node.integer("to", onnx.TensorProto.UNDEFINED))


@onnx_op("BitCast", since=26)
def cast_bits(node: Node, build: GraphBuilder) -> Value:
    """The same bits as another type."""
    operand, what = node.input(0), f"the result of {quoted(node.label)}"
    dtype = dtype_of_onnx(node.integer("to", onnx.TensorProto.UNDEFINED), what)
    element = element_type(dtype, what)
    if dtype.itemsize != operand.dtype.itemsize:
        raise node.error(f"makes {dtype} of {operand.dtype}: their widths differ")
    return build.pointwise([operand], operand.shape, lambda value: reinterpret(value, element), element)


@onnx_op("CastLike", since=15)
def cast_like(node: Node, build: GraphBuilder) -> Value:
    """A conversion to another tensor's element type."""
    operand, like = node.input(0), node.input(1)
    return _converted(node, build, operand, onnx.helper.np_dtype_to_tensor_dtype(like.dtype))


def _converted(node: Node, build: GraphBuilder, operand: Value, to: int) -> Value:
    what = f"the result of {quoted(node.label)}"
    element = element_type(dtype_of_onnx(to, what), what)
    if operand.element_type == element:
        return operand
    saturate, rounding = node.integer("saturate", 1) != 0, node.string("round_mode", "up")
    if rounding not in ("up", "down", "nearest"):
        raise node.error(f"has a round_mode that is not known: {rounding!r}")

    def body(value: SSAValue) -> SSAValue:
        return convert_element(value, element, saturate=saturate, rounding=rounding)

    return build.pointwise([operand], operand.shape, body, element)
