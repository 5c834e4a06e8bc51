"""Integers as rows of bits."""

from xdsl.dialects import arith
from xdsl.ir import SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.shapes import broadcast_shape
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("BitwiseAnd", since=18)
def bitwise_and(node: Node, build: GraphBuilder) -> Value:
    operands = [node.input(0), node.input(1)]
    return build.pointwise(operands, broadcast_shape(node, operands), scalars.both)


@onnx_op("BitwiseOr", since=18)
def bitwise_or(node: Node, build: GraphBuilder) -> Value:
    operands = [node.input(0), node.input(1)]
    return build.pointwise(operands, broadcast_shape(node, operands), scalars.either)


@onnx_op("BitwiseXor", since=18)
def bitwise_xor(node: Node, build: GraphBuilder) -> Value:
    operands = [node.input(0), node.input(1)]
    return build.pointwise(operands, broadcast_shape(node, operands), scalars.differ)


@onnx_op("BitwiseNot", since=18)
def bitwise_not(node: Node, build: GraphBuilder) -> Value:
    operand = node.input(0)
    return build.pointwise([operand], operand.shape, lambda x: scalars.differ(x, scalars.constant_like(-1, x)))


@onnx_op("BitShift", since=11)
def bit_shift(node: Node, build: GraphBuilder) -> Value:
    """
    x shifted by as many bits as y says, read as unsigned. Bits that come in from the left are the sign of x.

    By its width or more, nothing is left of x but the sign.
    """
    operand, distance = node.input(0), node.input(1)
    direction = node.string("direction", "")
    if direction not in ("LEFT", "RIGHT"):
        raise node.error(f"has a direction that is not known: {direction!r}")
    shape, width = broadcast_shape(node, [operand, distance]), operand.dtype.itemsize * 8
    if direction == "RIGHT" and operand.dtype.kind == "i":
        return build.pointwise([operand, distance], shape, lambda x, by: _shift_right_signed(x, by, width))
    shift = arith.ShLIOp if direction == "LEFT" else arith.ShRUIOp

    def body(x: SSAValue, by: SSAValue) -> SSAValue:
        zero = scalars.constant_like(0, x)
        is_within = _is_below(by, width)
        return scalars.select(is_within, shift(x, scalars.select(is_within, by, zero)).result, zero)

    return build.pointwise([operand, distance], shape, body)


def _is_below(value: SSAValue, limit: int) -> SSAValue:
    return arith.CmpiOp(value, scalars.constant_like(limit, value), "ult").result


def _shift_right_signed(x: SSAValue, by: SSAValue, width: int) -> SSAValue:
    bits = scalars.select(_is_below(by, width), by, scalars.constant_like(width - 1, by))
    return arith.ShRSIOp(x, bits).result
