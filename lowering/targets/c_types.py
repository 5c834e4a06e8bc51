"""Types of the IR as C types, and constants as C literals."""

import math
import struct
from typing import Final, cast

from xdsl.dialects.builtin import (
    BFloat16Type,
    Float16Type,
    Float32Type,
    Float64Type,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    Signedness,
    VectorType,
)
from xdsl.ir import Attribute, Region

from rammer_ir.errors import CompileError

_SIGNED: Final = {8: "signed char", 16: "short", 32: "int", 64: "long long"}
_UNSIGNED: Final = {8: "unsigned char", 16: "unsigned short", 32: "unsigned", 64: "unsigned long long"}
VECTOR_SHAPES: Final = ((8,), (16,))
"""Shapes of the vectors of f32 that a body may have."""

_HALVES: Final[dict[type[Attribute], str]] = {Float16Type: "rammer::Half", BFloat16Type: "rammer::BFloat16"}

_INT_LOWEST: Final = -(2**31)
_INT_HIGHEST: Final = 2**31 - 1
_LONG_LONG_LOWEST: Final = -(2**63)


def c_type(kind: Attribute) -> str:
    """
    The C type of a scalar or of an array's element; an index is 32 bits, a signless integer signed.

    Raises CompileError for a type that kernel bodies cannot have.
    """
    if isinstance(kind, Float32Type):
        return "float"
    if isinstance(kind, Float64Type):
        return "double"
    if is_half(kind):
        return _HALVES[type(kind)]
    if isinstance(kind, IndexType):
        return "int"
    if isinstance(kind, VectorType):
        return vector_type(cast("VectorType[Attribute]", kind))
    width = integer_width(kind)
    if width == 1:
        return "bool"
    if width in _SIGNED:
        return _UNSIGNED[width] if _is_unsigned(kind) else _SIGNED[width]
    raise CompileError(f"a kernel body cannot compute with values of type {kind}")


def vector_type(kind: VectorType[Attribute]) -> str:
    """The C++ type of a vector; raises CompileError for those that vdevice.hpp does not have."""
    if kind.get_shape() not in VECTOR_SHAPES or not isinstance(kind.element_type, Float32Type):
        raise CompileError(f"a kernel body cannot compute with values of type {kind}")
    return f"rammer::Vector<{kind.get_shape()[0]}>"


def is_half(kind: Attribute) -> bool:
    """Whether it is a floating-point type of 16 bits: numbers of it are computed with as floats, and rounded."""
    return type(kind) in _HALVES


def has_halves(body: Region) -> bool:
    """Whether some value of the body, or element of its arrays, has a floating-point type of 16 bits."""
    arguments = (argument.type for argument in body.block.args)
    results = (result.type for op in body.walk() for result in op.results)
    return any(
        is_half(cast("MemRefType[Attribute]", kind).element_type if isinstance(kind, MemRefType) else kind)
        for kind in (*arguments, *results)
    )


def unsigned_type(kind: Attribute) -> str:
    """The unsigned C type of the same width as an integer type's."""
    return _UNSIGNED[32 if isinstance(kind, IndexType) else integer_width(kind)]


def integer_width(kind: Attribute) -> int:
    """Bits of an integer type; 0 for other types."""
    return cast("IntegerType[int]", kind).width.data if isinstance(kind, IntegerType) else 0


def _is_unsigned(kind: Attribute) -> bool:
    return isinstance(kind, IntegerType) and cast("IntegerType[int]", kind).signedness.data is Signedness.UNSIGNED


def integer_literal(value: int, kind: Attribute) -> str:
    """A C literal of exactly this value; raises CompileError for an index that does not fit its 32 bits."""
    if integer_width(kind) == 1:
        return "true" if value else "false"
    if isinstance(kind, IndexType) and not _INT_LOWEST <= value <= _INT_HIGHEST:
        raise CompileError(f"index {value} does not fit the 32 bits that indices have in kernel bodies")
    width = integer_width(kind)
    if width in _SIGNED and not _is_unsigned(kind):
        value = (value + (1 << width - 1)) % (1 << width) - (1 << width - 1)
    suffix = ("U" if _is_unsigned(kind) else "") + ("LL" if width == 64 else "")
    if value in (_INT_LOWEST, _LONG_LONG_LOWEST):
        return f"({value + 1}{suffix} - 1)"
    return f"{value}{suffix}"


def float_literal(value: float, kind: Attribute) -> str | None:
    """The shortest C literal of exactly this value, a double's or a float's; None for infinities and NaN."""
    if not math.isfinite(value):
        return None
    is_single = not isinstance(kind, Float64Type)
    digits = next(digits for digits in range(1, 18) if _survives(value, f"{value:.{digits}g}", single=is_single))
    text = f"{value:.{digits}g}"
    if "." not in text and "e" not in text:
        text += ".0"
    return f"{text}f" if is_single else text


def _survives(value: float, text: str, *, single: bool) -> bool:
    read = float(text)
    if not single:
        return read == value
    try:
        return struct.unpack("f", struct.pack("f", read))[0] == value
    except OverflowError:
        return False


def constant_value(value: Attribute) -> int | float:
    """The number in a constant's attribute; raises CompileError for other constants."""
    if isinstance(value, IntegerAttr):
        return value.value.data
    if isinstance(value, FloatAttr):
        return value.value.data
    raise CompileError(f"constant {value} is not a number")
