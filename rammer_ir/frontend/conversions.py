"""
Conversions between all element types of ONNX, as bodies of generics: Cast and BitCast.

Types of less than a byte, and floats of less than 16 bits, only ever are converted: in between, their values are i8 and
float32.
"""

from typing import cast

from xdsl.dialects import arith
from xdsl.dialects.builtin import AnyFloat, Float64Type, IntegerType, Signedness, f32, i1, i8, i32
from xdsl.ir import Attribute, SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.element_types import integer_width, is_unsigned
from rammer_ir.frontend.narrow_floats import E8M0, decode, encode, encode_e8m0, is_narrow

_BYTE = 8


def convert_element(value: SSAValue, element: Attribute, *, saturate: bool = True, rounding: str = "up") -> SSAValue:
    """
    The value as another element type, as ONNX's Cast: see `scalars.convert`.

    `saturate` is for floats of 8 bits, and `rounding` ("up", "down" or "nearest") for powers of two (float8e8m0).
    """
    if value.type == element:
        return value
    wide = widened(value)
    if is_narrow(element):
        single = _as_float32(wide)
        code = (
            encode_e8m0(single, saturate=saturate, rounding=rounding)
            if element == E8M0
            else encode(single, element, saturate=saturate)
        )
        return scalars.retyped(code, element)
    if 1 < integer_width(element) < _BYTE:
        return _narrowed_integer(wide, element)
    return scalars.convert(wide, element)


def widened(value: SSAValue) -> SSAValue:
    """A value of a type that there is arithmetic on: the value itself, a byte or a float32."""
    width = integer_width(value.type)
    if is_narrow(value.type):
        return decode(scalars.retyped(value, i8), value.type)
    if not 1 < width < _BYTE:
        return value
    byte, above = scalars.retyped(value, i8), scalars.constant(_BYTE - width, i8)
    up = arith.ShLIOp(byte, above).result
    if is_unsigned(value.type):
        return scalars.retyped(arith.ShRUIOp(up, above).result, IntegerType(_BYTE, Signedness.UNSIGNED))
    return arith.ShRSIOp(up, above).result


def _narrowed_integer(value: SSAValue, element: Attribute) -> SSAValue:
    """The lower bits of an integer, or of a float's whole part, in a byte."""
    integer = scalars.convert(value, i32) if isinstance(value.type, AnyFloat) else value
    byte = scalars.convert(integer, i8)
    mask = scalars.constant((1 << integer_width(element)) - 1, i8)
    return scalars.retyped(scalars.both(byte, mask), element)


def _as_float32(value: SSAValue) -> SSAValue:
    """The value as a float32; of a float64 the one that is rounded to fewer digits as the value itself."""
    if not isinstance(value.type, Float64Type):
        return scalars.convert(value, f32)
    nearest = scalars.convert(value, f32)
    exact, bits = scalars.convert(nearest, value.type), arith.BitcastOp(nearest, i32).result
    is_greater = scalars.compare("gt", scalars.absolute(exact), scalars.absolute(value))
    below = scalars.subtract(bits, scalars.convert(is_greater, i32))
    odd = arith.BitcastOp(scalars.either(below, scalars.constant(1, i32)), f32).result
    # Infinities and NaN compare equal to themselves, or to nothing.
    is_inexact = scalars.either(is_greater, scalars.compare("lt", scalars.absolute(exact), scalars.absolute(value)))
    return scalars.select(is_inexact, odd, nearest)


def reinterpret(value: SSAValue, element: Attribute) -> SSAValue:
    """The bits of a value as one of another type of the same width; booleans are bytes, of which 0 is false."""
    bits = _bits(value)
    if element == i1:
        return scalars.compare("ne", bits, scalars.constant_like(0, bits))
    if isinstance(element, AnyFloat) and not is_narrow(element):
        return arith.BitcastOp(bits, element).result
    return bits if bits.type == element else scalars.retyped(bits, element)


def _bits(value: SSAValue) -> SSAValue:
    """The bits as a signless integer."""
    if value.type == i1:
        return scalars.convert(value, i8)
    if is_narrow(value.type) or integer_width(value.type):
        kind = IntegerType(max(integer_width(value.type), _BYTE))
        return value if value.type == kind else scalars.retyped(value, kind)
    width = cast("AnyFloat", value.type).bitwidth
    return arith.BitcastOp(value, IntegerType(width)).result


__all__ = ["convert_element", "reinterpret", "widened"]
