"""
Arithmetic on the elements of tensors: ops of `arith` and `math` for bodies of generics, chosen by element type.

All of them are added to the implicit builder's block. Integers are signed, unless their type says otherwise.
"""

import math as python_math
from collections.abc import Callable
from typing import cast

import numpy as np
from xdsl.dialects import arith, math
from xdsl.dialects.builtin import AnyFloat, FloatAttr, IntegerAttr, IntegerType, UnrealizedConversionCastOp, f32
from xdsl.ir import Attribute, Operation, SSAValue

from rammer_ir.frontend.element_types import dtype_of_element, integer_width, is_unsigned


def is_float(value: SSAValue) -> bool:
    return isinstance(value.type, AnyFloat)


def number(value: float, element: Attribute) -> FloatAttr[AnyFloat] | IntegerAttr[IntegerType]:
    """
    The number as an attribute of the element type: rounded, and infinite where it is out of range.

    Unsigned integers wrap: -1 is the greatest.
    """
    if isinstance(element, AnyFloat):
        return FloatAttr(float(np.asarray(value).astype(dtype_of_element(element))), element)
    wraps = is_unsigned(element) and element != IntegerType(1)
    return IntegerAttr(
        int(value) % (1 << integer_width(element)) if wraps else int(value), cast("IntegerType", element)
    )


def constant(value: float, element: Attribute) -> SSAValue:
    return arith.ConstantOp(number(value, element)).result


def constant_like(value: float, other: SSAValue) -> SSAValue:
    return constant(value, other.type)


def _one(op: Operation) -> SSAValue:
    return op.results[0]


_BinaryOp = Callable[[SSAValue, SSAValue], Operation]


def _binary(
    on_floats: _BinaryOp, on_signed: _BinaryOp, on_unsigned: _BinaryOp
) -> Callable[[SSAValue, SSAValue], SSAValue]:
    def build(lhs: SSAValue, rhs: SSAValue) -> SSAValue:
        on_integers = on_unsigned if is_unsigned(lhs.type) else on_signed
        return _one((on_floats if is_float(lhs) else on_integers)(lhs, rhs))

    return build


add = _binary(arith.AddfOp, arith.AddiOp, arith.AddiOp)
subtract = _binary(arith.SubfOp, arith.SubiOp, arith.SubiOp)
multiply = _binary(arith.MulfOp, arith.MuliOp, arith.MuliOp)
divide = _binary(arith.DivfOp, arith.DivSIOp, arith.DivUIOp)
maximum = _binary(arith.MaximumfOp, arith.MaxSIOp, arith.MaxUIOp)
minimum = _binary(arith.MinimumfOp, arith.MinSIOp, arith.MinUIOp)


def compare(predicate: str, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
    """Whether lhs `eq`, `ne`, `lt`, `le`, `gt` or `ge` rhs; all but `ne` are false where a float is not a number."""
    if is_float(lhs):
        return arith.CmpfOp(lhs, rhs, "une" if predicate == "ne" else f"o{predicate}").result
    ordering = predicate if predicate in ("eq", "ne") else f"{'u' if is_unsigned(lhs.type) else 's'}{predicate}"
    return arith.CmpiOp(lhs, rhs, ordering).result


def select(condition: SSAValue, if_true: SSAValue, if_false: SSAValue) -> SSAValue:
    return arith.SelectOp(condition, if_true, if_false).result


def both(lhs: SSAValue, rhs: SSAValue) -> SSAValue:
    return arith.AndIOp(lhs, rhs).result


def either(lhs: SSAValue, rhs: SSAValue) -> SSAValue:
    return arith.OrIOp(lhs, rhs).result


def differ(lhs: SSAValue, rhs: SSAValue) -> SSAValue:
    return arith.XOrIOp(lhs, rhs).result


def complement(value: SSAValue) -> SSAValue:
    """Not, of booleans."""
    return arith.XOrIOp(value, constant(1, value.type)).result


def negative(value: SSAValue) -> SSAValue:
    if is_float(value):
        return arith.NegfOp(value).result
    return subtract(constant_like(0, value), value)


def absolute(value: SSAValue) -> SSAValue:
    if is_unsigned(value.type):
        return value
    return math.AbsFOp(value).result if is_float(value) else math.AbsIOp(value).result


def sign(value: SSAValue) -> SSAValue:
    """-1, 0 or 1."""
    zero, one = constant_like(0, value), constant_like(1, value)
    not_negative = select(compare("gt", value, zero), one, zero)
    if is_unsigned(value.type):
        return not_negative
    minus_one = constant_like(-1, value)
    return select(compare("lt", value, zero), minus_one, not_negative)


def exponential(value: SSAValue) -> SSAValue:
    return math.ExpOp(value).result


def logarithm(value: SSAValue) -> SSAValue:
    return math.LogOp(value).result


def square_root(value: SSAValue) -> SSAValue:
    return math.SqrtOp(value).result


def hyperbolic_tangent(value: SSAValue) -> SSAValue:
    return math.TanhOp(value).result


def reciprocal(value: SSAValue) -> SSAValue:
    return divide(constant_like(1, value), value)


def sigmoid(value: SSAValue) -> SSAValue:
    """1 / (1 + exp(-x)); exact at both ends, where exp gives 0 or infinity."""
    return reciprocal(add(constant_like(1, value), exponential(negative(value))))


def softplus(value: SSAValue) -> SSAValue:
    """log(1 + exp(x)), without overflow."""
    tail = math.Log1pOp(exponential(negative(absolute(value)))).result
    return add(maximum(value, constant_like(0, value)), tail)


def exponential_minus_one(value: SSAValue) -> SSAValue:
    return math.ExpM1Op(value).result


def error_function(value: SSAValue) -> SSAValue:
    return math.ErfOp(value).result


def gelu(value: SSAValue) -> SSAValue:
    """x/2 (1 + erf(x / sqrt 2))."""
    inner = error_function(multiply(value, constant_like(python_math.sqrt(0.5), value)))
    return multiply(multiply(constant_like(0.5, value), value), add(constant_like(1, value), inner))


def gelu_by_tanh(value: SSAValue) -> SSAValue:
    """x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))."""
    cube = multiply(multiply(value, value), value)
    inner = add(value, multiply(constant_like(0.044715, value), cube))
    bounded = hyperbolic_tangent(multiply(constant_like(python_math.sqrt(2 / python_math.pi), value), inner))
    return multiply(multiply(constant_like(0.5, value), value), add(constant_like(1, value), bounded))


def power(base: SSAValue, exponent: SSAValue) -> SSAValue:
    return math.PowFOp(base, exponent).result


def convert(value: SSAValue, element: Attribute) -> SSAValue:
    """The value as another element type, as ONNX's Cast: towards zero to integers, 0 is false and all else true."""
    if value.type == element:
        return value
    if element == IntegerType(1):
        return compare("ne", value, constant_like(0, value))
    if is_float(value):
        return _convert_float(value, element)
    return _convert_integer(value, element)


def retyped(value: SSAValue, element: Attribute) -> SSAValue:
    """The same bits as a type of the same width, signed or not: nothing is left of it once import is over."""
    return UnrealizedConversionCastOp.get([value], [element]).results[0]


def _convert_integer(value: SSAValue, element: Attribute) -> SSAValue:
    if isinstance(element, AnyFloat):
        conversion = arith.UIToFPOp if is_unsigned(value.type) else arith.SIToFPOp
        return conversion(value, element).result
    source, target = integer_width(value.type), integer_width(element)
    if target == source:
        return retyped(value, element)
    if target < source:
        return arith.TruncIOp(value, cast("IntegerType", element)).result
    extension = arith.ExtUIOp if is_unsigned(value.type) else arith.ExtSIOp
    return extension(value, cast("IntegerType", element)).result


def _convert_float(value: SSAValue, element: Attribute) -> SSAValue:
    if not isinstance(element, AnyFloat):
        conversion = arith.FPToUIOp if is_unsigned(element) else arith.FPToSIOp
        return conversion(value, cast("IntegerType", element)).result
    assert isinstance(value.type, AnyFloat)
    if element.bitwidth > value.type.bitwidth:
        return arith.ExtFOp(value, element).result
    if element.bitwidth < value.type.bitwidth:
        return arith.TruncFOp(value, element).result
    # Two formats of the same width: through one that holds both.
    return arith.TruncFOp(arith.ExtFOp(value, f32), element).result
