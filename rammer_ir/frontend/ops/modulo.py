"""Remainders of divisions."""

from collections.abc import Callable

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import f64
from xdsl.ir import SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.element_types import is_floating, is_unsigned
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.shapes import broadcast_shape
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("Mod", since=10)
def modulo(node: Node, build: GraphBuilder) -> Value:
    """The remainder of a / b: with `fmod` of the sign of a, otherwise of that of b."""
    dividend, divisor = node.input(0), node.input(1)
    remainder = _float_remainder if is_floating(dividend.dtype) else _integer_remainder
    body = remainder if node.integer("fmod", 0) != 0 else _with_sign_of_divisor(remainder)
    return build.pointwise([dividend, divisor], broadcast_shape(node, [dividend, divisor]), body)


def _integer_remainder(a: SSAValue, b: SSAValue) -> SSAValue:
    return (arith.RemUIOp if is_unsigned(a.type) else arith.RemSIOp)(a, b).result


def _float_remainder(a: SSAValue, b: SSAValue) -> SSAValue:
    """
    C's fmod, exact where |a / b| < 2^53.

    q = trunc(a / b) may be one too large by rounding, so a - q b, which is exact as one operation, is put right.
    """
    x, y = scalars.convert(a, f64), scalars.absolute(scalars.convert(b, f64))
    size = scalars.absolute(x)
    quotient = math.TruncOp(scalars.divide(size, y)).result
    rest = math.FmaOp(scalars.negative(quotient), y, size).result
    is_negative = scalars.compare("lt", rest, scalars.constant(0, f64))
    found = scalars.select(is_negative, scalars.add(rest, y), rest)
    # What is smaller than the divisor stays, also where that is infinite.
    kept = scalars.select(scalars.compare("lt", size, y), size, found)
    return scalars.convert(math.CopySignOp(kept, x).result, a.type)


def _with_sign_of_divisor(
    remainder: Callable[[SSAValue, SSAValue], SSAValue],
) -> Callable[[SSAValue, SSAValue], SSAValue]:
    def body(a: SSAValue, b: SSAValue) -> SSAValue:
        rest = remainder(a, b)
        zero = scalars.constant_like(0, rest)
        signs_differ = scalars.differ(scalars.compare("lt", rest, zero), scalars.compare("lt", b, zero))
        is_moved = scalars.both(signs_differ, scalars.compare("ne", rest, zero))
        return scalars.select(is_moved, scalars.add(rest, b), rest)

    return body
