"""Reductions as arithmetic: the neutral value of a combiner, and the op that combines two values."""

import math
from collections.abc import Mapping
from typing import Final, cast

from xdsl.dialects import arith
from xdsl.dialects.builtin import AnyFloat, FloatAttr, IndexType, IntegerAttr, IntegerType
from xdsl.ir import Attribute, Operation, SSAValue

from rammer_ir.dialects.rop import Combiner
from rammer_ir.errors import CompileError

_INDEX_BITS: Final = 32

_FLOAT_OPS: Final[Mapping[Combiner, type[arith.FloatingPointLikeBinaryOperation]]] = {
    Combiner.ADD: arith.AddfOp,
    Combiner.MULTIPLY: arith.MulfOp,
    Combiner.MAXIMUM: arith.MaximumfOp,
    Combiner.MINIMUM: arith.MinimumfOp,
}
_INTEGER_OPS: Final[Mapping[Combiner, type[arith.SignlessIntegerBinaryOperation]]] = {
    Combiner.ADD: arith.AddiOp,
    Combiner.MULTIPLY: arith.MuliOp,
    Combiner.MAXIMUM: arith.MaxSIOp,
    Combiner.MINIMUM: arith.MinSIOp,
    Combiner.UNSIGNED_MAXIMUM: arith.MaxUIOp,
    Combiner.UNSIGNED_MINIMUM: arith.MinUIOp,
}
_NEUTRAL_FLOATS: Final[Mapping[Combiner, float]] = {
    Combiner.ADD: 0.0,
    Combiner.MULTIPLY: 1.0,
    Combiner.MAXIMUM: -math.inf,
    Combiner.MINIMUM: math.inf,
}


def combine(combiner: Combiner, lhs: SSAValue, rhs: SSAValue) -> Operation:
    """The op whose result combines two values; raises CompileError for values that are no numbers."""
    kind: Attribute = lhs.type
    if isinstance(kind, AnyFloat) and combiner in _FLOAT_OPS:
        return _FLOAT_OPS[combiner](lhs, rhs)
    if isinstance(kind, IntegerType | IndexType) and combiner in _INTEGER_OPS:
        return _INTEGER_OPS[combiner](lhs, rhs)
    raise CompileError(f"values of type {kind} are not combined by {combiner.value}")


def neutral_value(combiner: Combiner, kind: Attribute) -> arith.ConstantOp:
    """The constant that changes nothing when combined with; raises CompileError for a type that is no number's."""
    if isinstance(kind, AnyFloat) and combiner in _NEUTRAL_FLOATS:
        return arith.ConstantOp(FloatAttr(_NEUTRAL_FLOATS[combiner], kind))
    if isinstance(kind, IndexType):
        return arith.ConstantOp(IntegerAttr(_neutral_integer(combiner, _INDEX_BITS), kind))
    if isinstance(kind, IntegerType) and combiner in _INTEGER_OPS:
        bits = cast("IntegerType[int]", kind).width.data
        return arith.ConstantOp(IntegerAttr(_neutral_integer(combiner, bits), IntegerType(bits)))
    raise CompileError(f"values of type {kind} are not combined by {combiner.value}")


def _neutral_integer(combiner: Combiner, bits: int) -> int:
    match combiner:
        case Combiner.ADD | Combiner.NONE | Combiner.UNSIGNED_MAXIMUM:
            return 0
        case Combiner.UNSIGNED_MINIMUM:
            return -1  # All bits are set.
        case Combiner.MULTIPLY:
            return 1
        case Combiner.MAXIMUM:
            return -(1 << bits - 1)
        case Combiner.MINIMUM:
            return (1 << bits - 1) - 1
