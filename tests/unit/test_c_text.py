"""Names and constants in C text."""

import math
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects.builtin import IndexType, IntegerType, Signedness, f32, f64, f80, i1, i8, i16, i32, i64
from xdsl.ir import Attribute

from rammer_ir.errors import CompileError
from rammer_ir.lowering.targets.c_names import LIBRARY_NAMES, Names, function_name
from rammer_ir.lowering.targets.c_text import bare, cast
from rammer_ir.lowering.targets.c_types import c_type, float_literal, integer_literal


@given(st.lists(st.one_of(st.none(), st.text(max_size=40))))
def test_names_are_identifiers_and_differ(hints: list[str | None]) -> None:
    names = Names()
    given_names = [names.new(hint) for hint in hints]
    assert len(set(given_names)) == len(given_names)
    for name in given_names:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name)


@pytest.mark.parametrize(
    ("hint", "name"),
    [
        ("sum", "sum"),
        ("N$1", "n_1"),
        ("__x__", "x"),
        ("7", "value_7"),
        ("*/ evil(); /*", "evil"),
        ("\n", "value"),
        ("NAN", "nan"),
        ("int", "int_2"),
        ("task", "task_2"),
        ("expf", "expf_2"),
        ("float4", "float4_2"),
        ("rammer_maximum", "value_rammer_maximum"),
        (None, "value"),
    ],
)
def test_names(hint: str | None, name: str) -> None:
    assert Names().new(hint) == name


def test_names_are_free_behind_their_scope() -> None:
    names = Names()
    assert names.new("a") == "a"
    with names.scope():
        assert [names.new("a"), names.new("b")] == ["a_2", "b"]
    assert [names.new("b"), names.new("a")] == ["b", "a_2"]


@pytest.mark.parametrize("symbol", ["", "a-b", "1a", "a b", "a\n", "double", "main", "a__b", "_a", "exp", "é"])
def test_function_names_that_c_does_not_accept(symbol: str) -> None:
    with pytest.raises(CompileError, match="has a name that C does not accept"):
        function_name(symbol)


def test_function_names() -> None:
    assert function_name("contraction_64x64_relu") == "contraction_64x64_relu"
    assert "expf" in LIBRARY_NAMES


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_single_literals_are_exact(value: float) -> None:
    text = float_literal(value, f32)
    assert text is not None
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", text)
    assert "." in text or "e" in text
    read = struct.unpack("f", struct.pack("f", float(text[:-1])))[0]
    assert (read, math.copysign(1, read)) == (value, math.copysign(1, value))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_double_literals_are_exact(value: float) -> None:
    text = float_literal(value, f64)
    assert text is not None
    assert (float(text), math.copysign(1, float(text))) == (value, math.copysign(1, value))


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [(0.1, f64, "0.1"), (1.0, f32, "1.0f"), (-0.0, f32, "-0.0f"), (1e20, f32, None), (16777216.0, f32, "16777216.0f")],
)
def test_short_literals(value: float, kind: Attribute, text: str | None) -> None:
    rounded = struct.unpack("f", struct.pack("f", value))[0] if kind == f32 else value
    assert float_literal(rounded, kind) == (text or "1e+20f")


def test_numbers_that_have_no_literal() -> None:
    assert float_literal(math.inf, f32) is None
    assert float_literal(math.nan, f64) is None


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (1, i1, "true"),
        (-1, i1, "true"),
        (0, i1, "false"),
        (255, i8, "-1"),
        (-128, i8, "-128"),
        (40000, i16, "-25536"),
        (-(2**31), i32, "(-2147483647 - 1)"),
        (2**31 - 1, IndexType(), "2147483647"),
        (5, i64, "5LL"),
        (-(2**63), i64, "(-9223372036854775807LL - 1)"),
        (200, IntegerType(8, Signedness.UNSIGNED), "200U"),
    ],
)
def test_integer_literals(value: int, kind: Attribute, text: str) -> None:
    assert integer_literal(value, kind) == text


def test_indices_have_32_bits() -> None:
    with pytest.raises(CompileError, match="does not fit the 32 bits"):
        integer_literal(2**31, IndexType())


@pytest.mark.parametrize("kind", [f80, IntegerType(7), IntegerType(128)])
def test_types_that_bodies_cannot_have(kind: Attribute) -> None:
    with pytest.raises(CompileError, match="cannot compute with values of type"):
        c_type(kind)


@pytest.mark.parametrize(
    ("text", "inner"),
    [("(a + b)", "a + b"), ("(a) + (b)", "(a) + (b)"), ("a", "a"), ("f(a)", "f(a)"), ("((a))", "(a)")],
)
def test_outer_parentheses(text: str, inner: str) -> None:
    assert bare(text) == inner


def test_casts() -> None:
    assert cast("float", "(a + b)") == "float(a + b)"
    assert cast("long long", "a") == "static_cast<long long>(a)"
    assert cast("unsigned", "64") == "64u"
