"""Scalar ops on arrays, against what the ops' definitions say for single numbers."""

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects import arith
from xdsl.dialects import math as math_dialect
from xdsl.dialects.builtin import BFloat16Type, IndexType, IntegerType, f16, f32, f64, i1, i8, i32
from xdsl.ir import Attribute, Operation
from xdsl.utils.test_value import create_ssa_value

from rammer_ir.errors import RammerError
from rammer_ir.interpreters.element_types import constant_array, dtype_of
from rammer_ir.interpreters.scalar_ops import evaluate_scalar_op

Array = npt.NDArray[Any]
BYTES = st.integers(-128, 127)


def binary(op: type[Operation], left: Array, right: Array, kind: Attribute, result: Attribute | None = None) -> Array:
    values = [create_ssa_value(kind), create_ssa_value(kind)]
    return evaluate_scalar_op(op.create(operands=values, result_types=[result or kind]), (left, right))


def unary(op: type[Operation], values: Array, kind: Attribute, result: Attribute | None = None) -> Array:
    made = op.create(operands=[create_ssa_value(kind)], result_types=[result or kind])
    with np.errstate(all="ignore"):
        return evaluate_scalar_op(made, (values,))


def wrapped(value: int) -> int:
    return (value + 128) % 256 - 128


def truncated_quotient(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


INTEGER_OPS: dict[type[Operation], Callable[[int, int], int]] = {
    arith.AddiOp: operator.add,
    arith.SubiOp: operator.sub,
    arith.MuliOp: operator.mul,
    arith.AndIOp: lambda a, b: a & b,
    arith.OrIOp: lambda a, b: a | b,
    arith.XOrIOp: lambda a, b: a ^ b,
    arith.MinSIOp: min,
    arith.MaxSIOp: max,
    arith.MinUIOp: lambda a, b: min(a % 256, b % 256),
    arith.MaxUIOp: lambda a, b: max(a % 256, b % 256),
}
DIVISIONS: dict[type[Operation], Callable[[int, int], int]] = {
    arith.DivSIOp: truncated_quotient,
    arith.DivUIOp: lambda a, b: (a % 256) // (b % 256),
    arith.FloorDivSIOp: lambda a, b: a // b,
    arith.CeilDivSIOp: lambda a, b: -(-a // b),
    arith.CeilDivUIOp: lambda a, b: -(-(a % 256) // (b % 256)),
    arith.RemSIOp: lambda a, b: a - truncated_quotient(a, b) * b,
    arith.RemUIOp: lambda a, b: (a % 256) % (b % 256),
}
SHIFTS: dict[type[Operation], Callable[[int, int], int]] = {
    arith.ShLIOp: lambda a, b: a << b,
    arith.ShRSIOp: lambda a, b: a >> b,
    arith.ShRUIOp: lambda a, b: (a % 256) >> b,
}


@pytest.mark.parametrize("op", [*INTEGER_OPS, *DIVISIONS, *SHIFTS], ids=lambda op: op.name)
@settings(max_examples=25)
@given(st.data())
def test_integers_wrap(op: type[Operation], data: st.DataObject) -> None:
    left = data.draw(st.lists(BYTES, min_size=3, max_size=3))
    allowed = st.integers(0, 7) if op in SHIFTS else BYTES.filter(lambda b: b != 0 or op not in DIVISIONS)
    right = data.draw(st.lists(allowed, min_size=3, max_size=3))
    function = (INTEGER_OPS | DIVISIONS | SHIFTS)[op]
    expected = [wrapped(function(a, b)) for a, b in zip(left, right, strict=True)]
    actual = binary(op, np.array(left, np.int8), np.array(right, np.int8), i8)
    assert actual.dtype == np.int8
    assert actual.tolist() == expected


@pytest.mark.parametrize("predicate", range(10))
@settings(max_examples=25)
@given(st.lists(st.tuples(BYTES, BYTES), min_size=1))
def test_integer_predicates(predicate: int, pairs: list[tuple[int, int]]) -> None:
    compare = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
    function = compare[predicate if predicate < 6 else predicate - 4]
    modulus = 256 if predicate >= 6 else None
    expected = [function(*(pair if modulus is None else (pair[0] % modulus, pair[1] % modulus))) for pair in pairs]
    left, right = np.array(pairs, np.int8).T
    op = arith.CmpiOp(create_ssa_value(i8), create_ssa_value(i8), predicate)
    assert evaluate_scalar_op(op, (left, right)).tolist() == expected


ORDERED: dict[str, Callable[[float, float], bool]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


def holds(predicate: str, a: float, b: float) -> bool:
    unordered = math.isnan(a) or math.isnan(b)
    if predicate in ("false", "true"):
        return predicate == "true"
    if predicate in ("ord", "uno"):
        return unordered == (predicate == "uno")
    kind, comparison = predicate[0], predicate[1:]
    if unordered:
        return kind == "u"
    return a != b if comparison == "ne" else ORDERED[comparison](a, b)


@pytest.mark.parametrize(
    "predicate",
    ["false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno", "true"],
)
def test_float_predicates(predicate: str) -> None:
    numbers = [-1.0, 0.0, -0.0, 2.5, math.inf, -math.inf, math.nan]
    pairs = [(a, b) for a in numbers for b in numbers]
    left, right = np.array(pairs, np.float32).T
    op = arith.CmpfOp(create_ssa_value(f32), create_ssa_value(f32), predicate)
    assert evaluate_scalar_op(op, (left, right)).tolist() == [holds(predicate, a, b) for a, b in pairs]


@pytest.mark.parametrize(
    ("op", "values", "kind", "result", "expected"),
    [
        (arith.ExtSIOp, [True, False], i1, i32, [-1, 0]),
        (arith.ExtUIOp, [True, False], i1, i32, [1, 0]),
        (arith.ExtSIOp, [-3, 100], i8, i32, [-3, 100]),
        (arith.ExtUIOp, [-3, 100], i8, i32, [253, 100]),
        (arith.TruncIOp, [257, -129, 3], i32, i8, [1, 127, 3]),
        (arith.TruncIOp, [2, 3], i32, i1, [False, True]),
        (arith.SIToFPOp, [True, False], i1, f32, [-1.0, 0.0]),
        (arith.UIToFPOp, [True, False], i1, f32, [1.0, 0.0]),
        (arith.UIToFPOp, [-1], i8, f32, [255.0]),
        (arith.FPToSIOp, [-2.7, 2.7], f32, i32, [-2, 2]),
        (arith.FPToUIOp, [200.9], f32, IntegerType(8), [-56]),
        (arith.IndexCastOp, [-3], i32, IndexType(), [-3]),
        (arith.TruncFOp, [1 + 2**-20], f32, f16, [1.0]),
        (arith.ExtFOp, [1.5], f16, f64, [1.5]),
        (arith.TruncFOp, [1 + 2**-10], f32, BFloat16Type(), [1.0]),
        (arith.BitcastOp, [1.0], f32, i32, [0x3F800000]),
        (math_dialect.RoundOp, [-2.5, 2.5, 0.49999997, 3.2], f32, None, [-3.0, 3.0, 0.0, 3.0]),
        (math_dialect.RoundEvenOp, [-2.5, 2.5, 3.5], f32, None, [-2.0, 2.0, 4.0]),
        (math_dialect.CtPopOp, [0, -1, 5], i8, None, [0, 8, 2]),
        (math_dialect.CountLeadingZerosOp, [0, 1, -1, 16], i8, None, [8, 7, 0, 3]),
        (math_dialect.CountTrailingZerosOp, [0, 1, -128, 12], i8, None, [8, 0, 7, 2]),
        (math_dialect.AbsIOp, [-5, 7], i8, None, [5, 7]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_conversions(op: type[Operation], values: list[Any], kind: Attribute, result: Attribute, expected: Any) -> None:
    actual = unary(op, np.array(values, dtype_of(kind)), kind, result)
    assert actual.dtype == dtype_of(kind if result is None else result)
    assert actual.tolist() == expected


def test_functions_are_rounded_once() -> None:
    values = np.random.default_rng(0).uniform(0.1, 3, 1000).astype(np.float32)
    for op, function in [
        (math_dialect.ErfOp, math.erf),
        (math_dialect.ExpOp, math.exp),
        (math_dialect.TanhOp, math.tanh),
    ]:
        actual = unary(op, values, f32)
        assert actual.dtype == np.float32
        assert actual.tolist() == np.array([function(float(v)) for v in values], np.float32).tolist()


def test_maximum_and_minimum_of_undefined_numbers() -> None:
    left, right = np.array([np.nan, 1.0, 2.0], np.float32), np.array([1.0, np.nan, 3.0], np.float32)
    assert np.isnan(binary(arith.MaximumfOp, left, right, f32)).tolist() == [True, True, False]
    assert np.isnan(binary(arith.MinimumfOp, left, right, f32)).tolist() == [True, True, False]
    assert binary(arith.MaxnumfOp, left, right, f32).tolist() == [1.0, 1.0, 3.0]
    assert binary(arith.MinnumfOp, left, right, f32).tolist() == [1.0, 1.0, 2.0]


def test_arithmetic_is_rounded_to_the_type() -> None:
    large, small = np.array([1.0], np.float32), np.array([2.0**-30], np.float32)
    assert binary(arith.AddfOp, large, small, f32).tolist() == [1.0]
    half = np.array([2049.0]).astype(np.float16)
    assert binary(arith.AddfOp, half, np.array([0.0], np.float16), f16).dtype == np.float16


def test_fused_multiply_add_does_not_round_the_product() -> None:
    a = np.array([1 + 2.0**-12], np.float32)
    op = math_dialect.FmaOp(create_ssa_value(f32), create_ssa_value(f32), create_ssa_value(f32))
    c = -np.array([1 + 2.0**-11], np.float32)
    assert evaluate_scalar_op(op, (a, a, c)).tolist() == [2.0**-24]


def test_select_and_constants() -> None:
    condition = np.array([True, False])
    op = arith.SelectOp(create_ssa_value(i1), create_ssa_value(i32), create_ssa_value(i32))
    chosen = evaluate_scalar_op(op, (condition, np.array([1, 2], np.int32), np.array([3, 4], np.int32)))
    assert chosen.tolist() == [1, 4]
    assert evaluate_scalar_op(arith.ConstantOp.from_int_and_width(-1, i8), ()).tolist() == -1


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(RammerError, match=r"do not know arith\.addui_extended"):
        evaluate_scalar_op(arith.AddUIExtendedOp(create_ssa_value(i32), create_ssa_value(i32)), ())
    with pytest.raises(RammerError, match="no values of type"):
        dtype_of(IntegerType(7))
    with pytest.raises(RammerError, match="no value for the constant"):
        constant_array(f32)
