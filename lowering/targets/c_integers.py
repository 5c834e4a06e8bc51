"""Integer arithmetic as C expressions. Indices do not overflow; other integers wrap around."""

from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import Final

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import IndexType
from xdsl.ir import Attribute, Operation

from rammer_ir.errors import CompileError
from rammer_ir.lowering.targets.c_language import Language
from rammer_ir.lowering.targets.c_text import bare, cast
from rammer_ir.lowering.targets.c_types import c_type, integer_width, unsigned_type

SMALL_ATTRIBUTE: Final = "block.small"
"""Attribute of an `arith.divui` of indices whose dividend is below 2**21: there are quicker ways than a division."""

_COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=", "<", "<=", ">", ">=")
_FIRST_UNSIGNED_COMPARISON: Final = 6


def _wrapping(symbol: str, lhs: str, rhs: str, kind: Attribute) -> str:
    """A sum, difference or product, of as many bits as the operands have."""
    if isinstance(kind, IndexType):
        return f"({lhs} {symbol} {rhs})"
    unsigned = unsigned_type(kind)
    return cast(c_type(kind), f"{cast(unsigned, lhs)} {symbol} {cast(unsigned, rhs)}")


def _unsigned(symbol: str, lhs: str, rhs: str, kind: Attribute) -> str:
    unsigned = unsigned_type(kind)
    return cast(c_type(kind), f"{cast(unsigned, lhs)} {symbol} {cast(unsigned, rhs)}")


def _signed(symbol: str, lhs: str, rhs: str, kind: Attribute) -> str:
    text = f"({lhs} {symbol} {rhs})"
    # C computes in int what is narrower.
    return cast(c_type(kind), text) if integer_width(kind) in (8, 16) else text


_ARITHMETIC: Final[
    dict[type[arith.SignlessIntegerBinaryOperation], tuple[Callable[[str, str, str, Attribute], str], str]]
] = {
    arith.AddiOp: (_wrapping, "+"),
    arith.SubiOp: (_wrapping, "-"),
    arith.MuliOp: (_wrapping, "*"),
    arith.DivSIOp: (_signed, "/"),
    arith.RemSIOp: (_signed, "%"),
    arith.DivUIOp: (_unsigned, "/"),
    arith.RemUIOp: (_unsigned, "%"),
    arith.AndIOp: (_signed, "&"),
    arith.OrIOp: (_signed, "|"),
    arith.XOrIOp: (_signed, "^"),
    arith.ShLIOp: (_unsigned, "<<"),
    arith.ShRUIOp: (_unsigned, ">>"),
    arith.ShRSIOp: (_signed, ">>"),
}
_HELPERS: Final[dict[type[arith.SignlessIntegerBinaryOperation], tuple[str, bool]]] = {
    arith.FloorDivSIOp: ("floor_divide", False),
    arith.CeilDivSIOp: ("ceil_divide", False),
    arith.CeilDivUIOp: ("ceil_divide", True),
    arith.MinSIOp: ("smaller", False),
    arith.MaxSIOp: ("larger", False),
    arith.MinUIOp: ("smaller", True),
    arith.MaxUIOp: ("larger", True),
}
"""Op to the function that does it, and whether on unsigned numbers."""

_LOGIC: Final[dict[type[arith.SignlessIntegerBinaryOperation], str]] = {
    arith.AddiOp: "!=",
    arith.SubiOp: "!=",
    arith.XOrIOp: "!=",
    arith.MuliOp: "&&",
    arith.AndIOp: "&&",
    arith.OrIOp: "||",
    arith.MaxUIOp: "||",
    arith.MinUIOp: "&&",
}
"""The same of single bits."""


@singledispatch
def integer_expression(op: Operation, operands: Sequence[str], language: Language) -> str | None:
    """An op on integers as an expression; None for other ops."""
    return None


@integer_expression.register(arith.SignlessIntegerBinaryOperation)
def _(op: arith.SignlessIntegerBinaryOperation, operands: Sequence[str], language: Language) -> str:
    lhs, rhs = operands
    kind = op.result.type
    if integer_width(kind) == 1:
        if type(op) not in _LOGIC:
            raise CompileError(f"{op.name} of single bits has no form in C")
        return f"({lhs} {_LOGIC[type(op)]} {rhs})"
    if SMALL_ATTRIBUTE in op.attributes:
        return language.small_quotient(lhs, rhs)
    if type(op) in _ARITHMETIC:
        form, symbol = _ARITHMETIC[type(op)]
        return form(symbol, lhs, rhs, kind)
    if type(op) not in _HELPERS:
        raise CompileError(f"{op.name} has no form in C")
    name, unsigned = _HELPERS[type(op)]
    operand_type = unsigned_type(kind) if unsigned else c_type(kind)
    call = f"{language.helper(name)}<{operand_type}>({bare(lhs)}, {bare(rhs)})"
    return cast(c_type(kind), call) if unsigned else call


@integer_expression.register(arith.CmpiOp)
def _(op: arith.CmpiOp, operands: Sequence[str], language: Language) -> str:
    lhs, rhs = operands
    predicate = op.predicate.value.data
    symbol = _COMPARISONS[predicate]
    if predicate < _FIRST_UNSIGNED_COMPARISON:
        if integer_width(op.lhs.type) == 1 and symbol not in ("==", "!="):
            raise CompileError("single bits are compared as unsigned numbers only")
        return f"({lhs} {symbol} {rhs})"
    if integer_width(op.lhs.type) == 1:
        return f"({lhs} {symbol} {rhs})"
    unsigned = unsigned_type(op.lhs.type)
    return f"({cast(unsigned, lhs)} {symbol} {cast(unsigned, rhs)})"


@integer_expression.register(math.AbsIOp)
def _(op: math.AbsIOp, operands: Sequence[str], language: Language) -> str:
    (operand,) = operands
    return f"({operand} < 0 ? {_wrapping('-', '0', operand, op.result.type)} : {operand})"


@integer_expression.register(math.IPowIOp)
def _(op: math.IPowIOp, operands: Sequence[str], language: Language) -> str:
    base, exponent = operands
    kind = op.result.type
    name = f"{language.helper('integer_power')}<{c_type(kind)}, {_multiplied_type(kind)}>"
    return f"{name}({bare(base)}, {bare(exponent)})"


def _multiplied_type(kind: Attribute) -> str:
    """An unsigned type whose products wrap around: narrower ones would be promoted to int, which overflows."""
    return unsigned_type(kind) if integer_width(kind) == 64 else "unsigned"
