"""
Floating-point numbers of 8 and 4 bits, decoded to float32 and encoded from it by arithmetic on bits.

The IR has bytes for them (`rammer_ir.frontend.storage_types`): the lower bits of an i8. Formats as in ONNX's
documentation of float8, and in the OCP Microscaling Formats specification 1.0 (float4, E8M0).
"""

from dataclasses import dataclass
from typing import Final

from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    Float4E2M1FNType,
    Float8E4M3FNType,
    Float8E4M3FNUZType,
    Float8E5M2FNUZType,
    Float8E5M2Type,
    Float8E8M0FNUType,
    f32,
    i8,
    i32,
)
from xdsl.ir import Attribute, SSAValue

from rammer_ir.frontend import scalars

_FLOAT32_BIAS: Final = 127
_FLOAT32_SIGNIFICAND: Final = 23
_FLOAT32_INFINITY: Final = 0x7F800000
_MAGNITUDE: Final = 0x7FFFFFFF


@dataclass(frozen=True)
class NarrowFormat:
    """
    Sign, exponent, significand: `width` bits in all.

    `highest` is the greatest finite number's code without sign, `overflow` the code of what is beyond, `nan` that of
    what is no number (`overflow` and `nan` are `highest` where the format has no such thing). Of formats with
    `one_zero`, the code of -0 is that of the only NaN.
    """

    width: int
    significand: int
    bias: int
    highest: int
    overflow: int
    nan: int
    one_zero: bool = False

    @property
    def sign(self) -> int:
        """The bit of the sign."""
        return 1 << self.width - 1


FORMATS: Final[dict[Attribute, NarrowFormat]] = {
    Float8E4M3FNType(): NarrowFormat(8, 3, 7, highest=0x7E, overflow=0x7F, nan=0x7F),
    Float8E4M3FNUZType(): NarrowFormat(8, 3, 8, highest=0x7F, overflow=0x80, nan=0x80, one_zero=True),
    Float8E5M2Type(): NarrowFormat(8, 2, 15, highest=0x7B, overflow=0x7C, nan=0x7E),
    Float8E5M2FNUZType(): NarrowFormat(8, 2, 16, highest=0x7F, overflow=0x80, nan=0x80, one_zero=True),
    # No infinities, no NaN: the latter becomes -0, and -NaN 0.
    Float4E2M1FNType(): NarrowFormat(4, 1, 1, highest=0x7, overflow=0x7, nan=0x8),
}
"""By the type that a tensor has during import."""

E8M0: Final = Float8E8M0FNUType()
"""Powers of two, from 2**-127 on; the code 255 is NaN."""

_E8M0_NAN: Final = 255


def is_narrow(element: Attribute) -> bool:
    """Whether it is a floating-point type of less than 16 bits."""
    return element in FORMATS or element == E8M0


def decode(code: SSAValue, element: Attribute) -> SSAValue:
    """The float32 that a byte (i8) stands for in a narrow type."""
    byte = _bits(arith.AndIOp, arith.ExtUIOp(code, i32).result, 0xFF)
    if element == E8M0:
        return _decode_e8m0(byte)
    form = FORMATS[element]
    rest = _bits(arith.AndIOp, byte, form.sign - 1)
    shifted = _bits(arith.ShLIOp, rest, _FLOAT32_SIGNIFICAND - form.significand)
    # The factor makes up for the exponents' biases, and normalises numbers that are below the normal ones.
    factor = scalars.constant(2.0 ** (_FLOAT32_BIAS - form.bias), f32)
    magnitude = _as_bits(scalars.multiply(_as_float(shifted), factor))
    if form.overflow != form.highest and not form.one_zero:
        special = _bits(arith.OrIOp, magnitude, _FLOAT32_INFINITY)
        magnitude = scalars.select(scalars.compare("gt", rest, _number(form.highest)), special, magnitude)
    sign = _bits(arith.ShLIOp, scalars.subtract(_bits(arith.AndIOp, byte, 2 * form.sign - 1), rest), 32 - form.width)
    value = _as_float(scalars.either(magnitude, sign))
    if not form.one_zero:
        return value
    return scalars.select(scalars.compare("eq", byte, _number(form.nan)), scalars.constant(float("nan"), f32), value)


def encode(value: SSAValue, element: Attribute, *, saturate: bool) -> SSAValue:
    """
    The byte (i8) of a float32 in a narrow type but E8M0, rounded to the nearest, ties to even.

    What is out of range becomes the greatest finite number (`saturate`), or infinite or NaN, as the format has it.
    """
    form = FORMATS[element]
    bits = _as_bits(value)
    magnitude = _bits(arith.AndIOp, bits, _MAGNITUDE)
    code = _rounded_magnitude(magnitude, form)
    beyond = _number(form.highest if saturate else form.overflow)
    code = scalars.select(scalars.compare("gt", code, _number(form.highest)), beyond, code)
    is_nan = scalars.compare("gt", magnitude, _number(_FLOAT32_INFINITY))
    code = scalars.select(is_nan, _number(form.nan), code)
    sign = _bits(arith.AndIOp, _bits(arith.ShRUIOp, bits, 32 - form.width), form.sign)
    signed = scalars.differ(code, sign)
    if form.one_zero:
        has_no_sign = scalars.either(
            scalars.compare("eq", code, _number(0)), scalars.compare("eq", code, _number(form.nan))
        )
        signed = scalars.select(has_no_sign, code, signed)
    return arith.TruncIOp(signed, i8).result


def _rounded_magnitude(magnitude: SSAValue, form: NarrowFormat) -> SSAValue:
    """The code of a float32 without its sign; what is out of range has a code above all others."""
    dropped = _FLOAT32_SIGNIFICAND - form.significand
    last = _bits(arith.AndIOp, _bits(arith.ShRUIOp, magnitude, dropped), 1)
    half = scalars.add(magnitude, scalars.add(last, _number((1 << dropped - 1) - 1)))
    rebias = (_FLOAT32_BIAS - form.bias) << form.significand
    normal = scalars.subtract(_bits(arith.ShRUIOp, half, dropped), _number(rebias))
    # The last bit of numbers near this power of two is worth as much as that of the format's smallest number.
    lowest_exponent = 1 - form.bias
    unit = scalars.constant(2.0 ** (lowest_exponent + dropped), f32)
    small = scalars.subtract(_as_bits(scalars.add(_as_float(magnitude), unit)), _as_bits(unit))
    smallest_normal = (lowest_exponent + _FLOAT32_BIAS) << _FLOAT32_SIGNIFICAND
    return scalars.select(scalars.compare("lt", magnitude, _number(smallest_normal)), small, normal)


def encode_e8m0(value: SSAValue, *, saturate: bool, rounding: str) -> SSAValue:
    """
    The byte (i8) of a float32 as a power of two, rounded "up", "down" or to the "nearest" (ties up).

    NaN stays NaN, negative numbers become it. What is out of range becomes the nearest power (`saturate`), or NaN.
    """
    bits = _as_bits(value)
    # Of numbers below 2**-126, those from 2**-127 on have the first bit of their significand set: it counts as one.
    half = 1 << _FLOAT32_SIGNIFICAND - 1
    added = {"up": 2 * half - 1, "nearest": half, "down": 0}[rounding]
    code = _bits(arith.ShRUIOp, scalars.add(bits, _number(added)), _FLOAT32_SIGNIFICAND)
    up = half if rounding == "up" else half + half // 2 if rounding == "nearest" else 2 * half
    is_small = scalars.compare("lt", bits, _number(2 * half))
    small = scalars.select(scalars.compare("gt", bits, _number(up)), _number(1), _number(0))
    code = scalars.select(is_small, small, code)
    beyond = _number(_E8M0_NAN - 1 if saturate else _E8M0_NAN)
    code = scalars.select(scalars.compare("ge", code, _number(_E8M0_NAN)), beyond, code)
    if not saturate:
        code = scalars.select(scalars.compare("lt", bits, _number(half)), _number(_E8M0_NAN), code)
    is_number = scalars.both(
        scalars.compare("ge", value, scalars.constant(0.0, f32)),
        scalars.compare("le", bits, _number(_FLOAT32_INFINITY)),
    )
    return arith.TruncIOp(scalars.select(is_number, code, _number(_E8M0_NAN)), i8).result


def _decode_e8m0(byte: SSAValue) -> SSAValue:
    power = _bits(arith.ShLIOp, byte, _FLOAT32_SIGNIFICAND)
    lowest = scalars.constant(2.0**-127, f32)
    value = scalars.select(scalars.compare("eq", byte, _number(0)), lowest, _as_float(power))
    return scalars.select(scalars.compare("eq", byte, _number(_E8M0_NAN)), scalars.constant(float("nan"), f32), value)


def _number(value: int) -> SSAValue:
    return scalars.constant(value, i32)


def _bits(op: type[arith.SignlessIntegerBinaryOperation], lhs: SSAValue, rhs: int) -> SSAValue:
    return op(lhs, _number(rhs)).result


def _as_float(bits: SSAValue) -> SSAValue:
    return arith.BitcastOp(bits, f32).result


def _as_bits(value: SSAValue) -> SSAValue:
    return arith.BitcastOp(value, i32).result
