"""Powers of all numbers by all numbers."""

from collections.abc import Callable

from xdsl.dialects import math
from xdsl.dialects.builtin import f64, i64
from xdsl.ir import Attribute, SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.element_types import is_floating
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.explicit_broadcast import LAST_OPSET, explicitly_broadcast
from rammer_ir.frontend.ops.shapes import broadcast_shape
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("Pow", since=7)
def power(node: Node, build: GraphBuilder) -> Value:
    """
    A power of the base's type; squares, cubes and square roots by a known exponent are multiplications and a root.

    Integers to integers wrap around, as products do; the inverse of an integer is cut to one. Integers to floats are
    computed as f64, floats to wider floats in the wider type.
    """
    base, exponent = node.input(0), node.input(1)
    shape = broadcast_shape(node, [base, exponent])
    special = _special_power(base, exponent)
    if special is not None:
        return build.pointwise([base], shape, special)
    if not is_floating(base.dtype) and not is_floating(exponent.dtype):
        return build.pointwise([base, exponent], shape, _integer_power(base, exponent))
    computed = _computed_type(base, exponent)

    def body(element: SSAValue, by: SSAValue) -> SSAValue:
        result = scalars.power(scalars.convert(element, computed), scalars.convert(by, computed))
        return scalars.convert(result, base.element_type)

    return build.pointwise([base, exponent], shape, body)


onnx_op("Pow", until=LAST_OPSET)(explicitly_broadcast(power))


def _computed_type(base: Value, exponent: Value) -> Attribute:
    if not is_floating(base.dtype):
        return f64
    is_wider = is_floating(exponent.dtype) and exponent.dtype.itemsize > base.dtype.itemsize
    return exponent.element_type if is_wider else base.element_type


def _integer_power(base: Value, exponent: Value) -> Callable[[SSAValue, SSAValue], SSAValue]:
    """
    In the wider of the two types, then cut to the base's: low bits of products depend on low bits alone.

    Unsigned numbers are taken to 64 bits, so that none looks negative (an exponent of 2^63 or more does).
    """
    is_signed = base.dtype.kind == exponent.dtype.kind == "i"
    wider = max(base, exponent, key=lambda value: value.dtype.itemsize).element_type if is_signed else i64

    def body(element: SSAValue, by: SSAValue) -> SSAValue:
        result = math.IPowIOp(scalars.convert(element, wider), scalars.convert(by, wider)).result
        return scalars.convert(result, base.element_type)

    return body


def _special_power(base: Value, exponent: Value) -> Callable[[SSAValue], SSAValue] | None:
    if exponent.constant is None or exponent.constant.size != 1:
        return None
    match float(exponent.constant.reshape(())):
        case 0.5 if is_floating(base.dtype):
            return scalars.square_root
        case 2.0:
            return lambda element: scalars.multiply(element, element)
        case 3.0:
            return lambda element: scalars.multiply(scalars.multiply(element, element), element)
        case _:
            return None
