"""
The scalar ops of `arith` and `math` on whole arrays.

Results have the dtype that the op's result type says: f32 arithmetic is rounded to f32 after every op. `math`
functions and `math.fma` are computed in float64 and rounded once. Integers wrap.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects import math as math_dialect
from xdsl.ir import Operation

from rammer_ir.errors import RammerError
from rammer_ir.interpreters.element_types import Array, DType, constant_array, dtype_of, is_float
from rammer_ir.locations import describe_op

ScalarFunction = Callable[..., Any]
"""From one array an operand to an array, in whatever dtype is exact enough."""


def unsigned(values: Array) -> Array:
    """The same bits as an unsigned integer (or bool)."""
    return values if values.dtype.kind in "bu" else values.view(f"u{values.dtype.itemsize}")


def _same(values: Array) -> Array:
    return values


def _subtract(a: Array, b: Array) -> Array:
    return a ^ b if a.dtype == np.bool_ else np.subtract(a, b)


def _divide_up(a: Array, b: Array) -> Array:
    return np.floor_divide(a, b) + (np.remainder(a, b) != 0)


def _multiply_add(a: Array, b: Array, c: Array) -> Array:
    return a * b + c


def _inverse_square_root(values: Array) -> Array:
    return 1.0 / np.sqrt(values)


def _set_bits(values: Array) -> Array:
    return np.bitwise_count(unsigned(values))


def _on_unsigned(function: ScalarFunction) -> ScalarFunction:
    return lambda *args: function(*(unsigned(arg) for arg in args))


def on_unsigned_bits(function: ScalarFunction) -> ScalarFunction:
    """The function with the bits of its operands read as unsigned integers, and its results in their dtype again."""
    return lambda *args: np.asarray(function(*(unsigned(arg) for arg in args))).view(args[0].dtype)


def _divide_toward_zero(a: Array, b: Array) -> Array:
    quotient = np.floor_divide(a, b)
    return quotient + ((np.remainder(a, b) != 0) & ((a < 0) != (b < 0)))


def _signed_value(values: Array) -> Array:
    """i1 holds 0 and -1 when it is read as signed."""
    return -values.astype(np.int8) if values.dtype == np.bool_ else values


def _on_signed(function: ScalarFunction) -> ScalarFunction:
    return lambda *args: function(*(_signed_value(arg) for arg in args))


def _integer_power(base: Array, exponent: Array) -> Array:
    """Powers of integers wrap; with a negative exponent, of all but 1 and -1 they are cut to 0."""
    powers = np.power(base, np.maximum(exponent, 0))
    odd = (exponent & 1) != 0
    inverses = np.where(np.abs(base) == 1, np.where(odd, base, 1), 0)
    return np.where(exponent < 0, inverses, powers)


def _in_float64(function: ScalarFunction) -> ScalarFunction:
    return lambda *args: function(*(arg.astype(np.float64) if is_float(arg.dtype) else arg for arg in args))


def _round_half_away(values: Array) -> Array:
    return np.copysign(np.floor(np.abs(values) + 0.5), values)


def _trailing_zeros(values: Array) -> Array:
    bits = unsigned(values)
    return np.bitwise_count((bits & (~bits + 1)) - 1)


def _leading_zeros(values: Array) -> Array:
    bits, width = unsigned(values), values.dtype.itemsize * 8
    shift = 1
    while shift < width:
        bits = bits | (bits >> shift)
        shift *= 2
    return width - np.bitwise_count(bits)


_INTEGER: dict[type[Operation], ScalarFunction] = {
    arith.AddiOp: np.add,
    arith.SubiOp: _subtract,
    arith.MuliOp: np.multiply,
    arith.DivSIOp: _divide_toward_zero,
    arith.DivUIOp: _on_unsigned(np.floor_divide),
    arith.FloorDivSIOp: np.floor_divide,
    arith.CeilDivSIOp: _divide_up,
    arith.CeilDivUIOp: _on_unsigned(_divide_up),
    arith.RemSIOp: np.fmod,
    arith.RemUIOp: _on_unsigned(np.remainder),
    arith.MinSIOp: np.minimum,
    arith.MaxSIOp: np.maximum,
    arith.MinUIOp: _on_unsigned(np.minimum),
    arith.MaxUIOp: _on_unsigned(np.maximum),
    arith.AndIOp: np.bitwise_and,
    arith.OrIOp: np.bitwise_or,
    arith.XOrIOp: np.bitwise_xor,
    arith.ShLIOp: np.left_shift,
    arith.ShRSIOp: np.right_shift,
    arith.ShRUIOp: _on_unsigned(np.right_shift),
    math_dialect.AbsIOp: np.abs,
    math_dialect.IPowIOp: _integer_power,
    math_dialect.CtPopOp: _set_bits,
    math_dialect.CountTrailingZerosOp: _trailing_zeros,
    math_dialect.CountLeadingZerosOp: _leading_zeros,
}

_FLOAT: dict[type[Operation], ScalarFunction] = {
    arith.AddfOp: np.add,
    arith.SubfOp: np.subtract,
    arith.MulfOp: np.multiply,
    arith.DivfOp: np.divide,
    arith.NegfOp: np.negative,
    arith.MaximumfOp: np.maximum,
    arith.MaxnumfOp: np.fmax,
    arith.MinimumfOp: np.minimum,
    arith.MinnumfOp: np.fmin,
}

_CASTS: dict[type[Operation], ScalarFunction] = {
    arith.IndexCastOp: _signed_value,
    arith.ExtSIOp: _signed_value,
    arith.ExtUIOp: unsigned,
    arith.TruncIOp: _same,
    arith.SIToFPOp: _signed_value,
    arith.UIToFPOp: unsigned,
    arith.FPToSIOp: np.trunc,
    arith.FPToUIOp: np.trunc,
    arith.ExtFOp: _same,
    arith.TruncFOp: _same,
    arith.SelectOp: np.where,
}

_MATH: dict[type[Operation], ScalarFunction] = {
    math_dialect.AbsFOp: np.abs,
    math_dialect.AcosOp: np.arccos,
    math_dialect.AcoshOp: np.arccosh,
    math_dialect.AsinOp: np.arcsin,
    math_dialect.AsinhOp: np.arcsinh,
    math_dialect.Atan2Op: np.arctan2,
    math_dialect.AtanOp: np.arctan,
    math_dialect.AtanhOp: np.arctanh,
    math_dialect.CbrtOp: np.cbrt,
    math_dialect.CeilOp: np.ceil,
    math_dialect.CopySignOp: np.copysign,
    math_dialect.CosOp: np.cos,
    math_dialect.CoshOp: np.cosh,
    math_dialect.ErfOp: np.vectorize(math.erf, otypes=[np.float64]),
    math_dialect.Exp2Op: np.exp2,
    math_dialect.ExpM1Op: np.expm1,
    math_dialect.ExpOp: np.exp,
    math_dialect.FPowIOp: np.power,
    math_dialect.FloorOp: np.floor,
    math_dialect.FmaOp: _multiply_add,
    math_dialect.Log10Op: np.log10,
    math_dialect.Log1pOp: np.log1p,
    math_dialect.Log2Op: np.log2,
    math_dialect.LogOp: np.log,
    math_dialect.PowFOp: np.power,
    math_dialect.RoundEvenOp: np.rint,
    math_dialect.RoundOp: _round_half_away,
    math_dialect.RsqrtOp: _inverse_square_root,
    math_dialect.SinOp: np.sin,
    math_dialect.SinhOp: np.sinh,
    math_dialect.SqrtOp: np.sqrt,
    math_dialect.TanOp: np.tan,
    math_dialect.TanhOp: np.tanh,
    math_dialect.TruncOp: np.trunc,
}

SCALAR_FUNCTIONS: Mapping[type[Operation], ScalarFunction] = {
    **_INTEGER,
    **_FLOAT,
    **_CASTS,
    **{op: _in_float64(function) for op, function in _MATH.items()},
}
"""Ops of one result whose meaning does not depend on their attributes."""

# The order is that of the ops' numbering of predicates: eq, ne, then signed and unsigned lt, le, gt, ge.
_ORDERINGS: tuple[ScalarFunction, ...] = (np.less, np.less_equal, np.greater, np.greater_equal)
_INTEGER_PREDICATES: tuple[ScalarFunction, ...] = (
    np.equal,
    np.not_equal,
    *(_on_signed(f) for f in _ORDERINGS),
    *(_on_unsigned(f) for f in _ORDERINGS),
)

# Bits of a predicate of LLVM's fcmp: it holds for equal, greater, less, unordered operands.
_EQUAL, _GREATER, _LESS, _UNORDERED = 1, 2, 4, 8
# arith.cmpf numbers the predicates as LLVM does, but for uno, which comes behind the others with u.
_CMPF_PREDICATES = (*range(_UNORDERED), *range(_UNORDERED + 1, 15), _UNORDERED, 15)


def _compare_floats(predicate: int, a: Array, b: Array) -> Array:
    predicate = _CMPF_PREDICATES[predicate]
    holds = np.zeros(np.broadcast_shapes(a.shape, b.shape), np.bool_)
    if predicate & _EQUAL:
        holds |= a == b
    if predicate & _GREATER:
        holds |= a > b
    if predicate & _LESS:
        holds |= a < b
    if predicate & _UNORDERED:
        holds |= np.isnan(a) | np.isnan(b)
    return holds


def _reinterpret(dtype: DType, values: Array) -> Array:
    return np.ascontiguousarray(values).reshape(values.shape).view(dtype)


def _converting(function: ScalarFunction, dtype: DType) -> ScalarFunction:
    """The function with its results in a dtype: rounded, wrapped, or for i1 the lowest bit."""

    def convert(*args: Array) -> Array:
        result = np.asarray(function(*args))
        if dtype == np.bool_ and result.dtype.kind in "iu":
            return (result & 1).astype(np.bool_)
        return result.astype(dtype, copy=False)

    return convert


def scalar_function(op: Operation) -> ScalarFunction:
    """
    What an op computes: from an array an operand, which broadcast, to an array of the result's dtype.

    NumPy's floating-point warnings are the caller's to silence. Raises RammerError for an op that is not a scalar op of
    `arith` or `math`.
    """
    match op:
        case arith.ConstantOp():
            return partial(constant_array, op.value)
        case arith.CmpiOp():
            return _converting(_INTEGER_PREDICATES[op.predicate.value.data], np.dtype(np.bool_))
        case arith.CmpfOp():
            return partial(_compare_floats, op.predicate.value.data)
        case arith.BitcastOp():
            return partial(_reinterpret, dtype_of(op.result.type))
        case _ if type(op) in SCALAR_FUNCTIONS:
            return _converting(SCALAR_FUNCTIONS[type(op)], dtype_of(op.results[0].type))
        case _:
            raise RammerError(f"the interpreters do not know {op.name}", location=describe_op(op))


def evaluate_scalar_op(op: Operation, args: tuple[Array, ...]) -> Array:
    """The op's result for every element of its operands; see `scalar_function`."""
    return scalar_function(op)(*args)
