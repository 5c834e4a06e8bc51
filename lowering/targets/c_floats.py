"""Floating-point arithmetic and functions as C expressions, in full precision."""

from collections.abc import Sequence
from functools import singledispatch
from typing import Final

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import Float32Type, Float64Type
from xdsl.dialects.utils.fast_math import FastMathFlag
from xdsl.ir import Attribute, Operation

from rammer_ir.errors import CompileError
from rammer_ir.lowering.targets.c_language import Language
from rammer_ir.lowering.targets.c_text import bare, cast
from rammer_ir.lowering.targets.c_types import c_type

_SYMBOLS: Final[dict[type[arith.FloatingPointLikeBinaryOperation], str]] = {
    arith.AddfOp: "+",
    arith.SubfOp: "-",
    arith.MulfOp: "*",
    arith.DivfOp: "/",
}
_NAN_PROPAGATING: Final[dict[type[arith.FloatingPointLikeBinaryOperation], str]] = {
    arith.MaximumfOp: "maximum",
    arith.MinimumfOp: "minimum",
}
_NUMBER_PREFERRING: Final[dict[type[arith.FloatingPointLikeBinaryOperation], str]] = {
    arith.MaxnumfOp: "fmax",
    arith.MinnumfOp: "fmin",
}

_FUNCTIONS: Final[dict[type[Operation], str]] = {
    math.AbsFOp: "fabs",
    math.AcosOp: "acos",
    math.AcoshOp: "acosh",
    math.AsinOp: "asin",
    math.AsinhOp: "asinh",
    math.AtanOp: "atan",
    math.Atan2Op: "atan2",
    math.AtanhOp: "atanh",
    math.CbrtOp: "cbrt",
    math.CeilOp: "ceil",
    math.CopySignOp: "copysign",
    math.CosOp: "cos",
    math.CoshOp: "cosh",
    math.ErfOp: "erf",
    math.ExpOp: "exp",
    math.Exp2Op: "exp2",
    math.ExpM1Op: "expm1",
    math.FloorOp: "floor",
    math.FmaOp: "fma",
    math.LogOp: "log",
    math.Log10Op: "log10",
    math.Log1pOp: "log1p",
    math.Log2Op: "log2",
    math.PowFOp: "pow",
    math.RoundOp: "round",
    math.RoundEvenOp: "rint",
    math.SinOp: "sin",
    math.SinhOp: "sinh",
    math.SqrtOp: "sqrt",
    math.TanOp: "tan",
    math.TanhOp: "tanh",
    math.TruncOp: "trunc",
}

# In the order of the predicates' numbers.
_COMPARISONS: Final = (
    "false",
    "({a} == {b})",
    "({a} > {b})",
    "({a} >= {b})",
    "({a} < {b})",
    "({a} <= {b})",
    "({a} < {b} || {a} > {b})",
    "({a} == {a} && {b} == {b})",
    "(!({a} < {b} || {a} > {b}))",
    "(!({a} <= {b}))",
    "(!({a} < {b}))",
    "(!({a} >= {b}))",
    "(!({a} > {b}))",
    "({a} != {b})",
    "({a} != {a} || {b} != {b})",
    "true",
)


def _call(name: str, operands: Sequence[str], kind: Attribute) -> str:
    """A call of a library function; its name says the type."""
    c_type(kind)
    return f"{name}{'' if isinstance(kind, Float64Type) else 'f'}({', '.join(bare(operand) for operand in operands)})"


@singledispatch
def float_expression(op: Operation, operands: Sequence[str], language: Language) -> str | None:
    """An op on floating-point numbers as an expression; None for other ops."""
    return None


@float_expression.register(arith.FloatingPointLikeBinaryOperation)
def _(op: arith.FloatingPointLikeBinaryOperation, operands: Sequence[str], language: Language) -> str:
    lhs, rhs = operands
    if isinstance(op, arith.DivfOp) and _is_approximate(op) and (text := language.approximate("div", operands)):
        return text
    if type(op) in _SYMBOLS:
        return f"({lhs} {_SYMBOLS[type(op)]} {rhs})"
    if type(op) in _NAN_PROPAGATING:
        return f"{language.helper(_NAN_PROPAGATING[type(op)])}({bare(lhs)}, {bare(rhs)})"
    if type(op) in _NUMBER_PREFERRING:
        return _call(_NUMBER_PREFERRING[type(op)], operands, op.result.type)
    raise CompileError(f"{op.name} has no form in C")


@float_expression.register(arith.NegfOp)
def _(op: arith.NegfOp, operands: Sequence[str], language: Language) -> str:
    return f"(-{operands[0]})"


@float_expression.register(arith.CmpfOp)
def _(op: arith.CmpfOp, operands: Sequence[str], language: Language) -> str:
    return _COMPARISONS[op.predicate.value.data].format(a=operands[0], b=operands[1])


@float_expression.register(math.RsqrtOp)
def _(op: math.RsqrtOp, operands: Sequence[str], language: Language) -> str:
    return language.reciprocal_square_root(operands[0], op.result.type)


@float_expression.register(math.FPowIOp)
def _(op: math.FPowIOp, operands: Sequence[str], language: Language) -> str:
    kind = op.result.type
    return _call("pow", [operands[0], cast(c_type(kind), operands[1])], kind)


def _is_approximate(op: Operation) -> bool:
    """Whether an op on float32 says that it may be approximated."""
    flags = op.properties.get("fastmath")
    if not isinstance(flags, arith.FastMathFlagsAttr) or not isinstance(op.results[0].type, Float32Type):
        return False
    return FastMathFlag.APPROX_FUNC in flags.data


def _function(op: Operation, operands: Sequence[str], language: Language) -> str:
    if isinstance(op, math.ExpOp | math.TanhOp) and _is_approximate(op):
        text = language.approximate(_FUNCTIONS[type(op)], operands)
        if text is not None:
            return text
    return _call(_FUNCTIONS[type(op)], operands, op.results[0].type)


for _op in _FUNCTIONS:
    float_expression.register(_op)(_function)
