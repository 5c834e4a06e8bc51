"""Conversions between types, and choices, as C expressions."""

from collections.abc import Sequence
from functools import singledispatch

from xdsl.dialects import arith
from xdsl.ir import Attribute, Operation

from rammer_ir.lowering.targets.c_language import Language
from rammer_ir.lowering.targets.c_text import cast
from rammer_ir.lowering.targets.c_types import c_type, integer_width, unsigned_type


@singledispatch
def conversion_expression(op: Operation, operands: Sequence[str], language: Language) -> str | None:
    """A conversion or choice as an expression; None for other ops."""
    return None


@conversion_expression.register(arith.SelectOp)
def _(op: arith.SelectOp, operands: Sequence[str], language: Language) -> str:
    condition, lhs, rhs = operands
    return f"({condition} ? {lhs} : {rhs})"


@conversion_expression.register(arith.IndexCastOp)
@conversion_expression.register(arith.ExtSIOp)
@conversion_expression.register(arith.SIToFPOp)
def _(op: arith.IndexCastOp | arith.ExtSIOp | arith.SIToFPOp, operands: Sequence[str], language: Language) -> str:
    if c_type(op.input.type) == c_type(op.result.type):
        return operands[0]
    # A single bit, as a signed number, is 0 or -1.
    value = f"{operands[0]} ? -1 : 0" if integer_width(op.input.type) == 1 else operands[0]
    return _truncated(value, op.result.type)


@conversion_expression.register(arith.ExtUIOp)
@conversion_expression.register(arith.UIToFPOp)
def _(op: arith.ExtUIOp | arith.UIToFPOp, operands: Sequence[str], language: Language) -> str:
    is_bit = integer_width(op.input.type) == 1
    value = operands[0] if is_bit else cast(unsigned_type(op.input.type), operands[0])
    return cast(c_type(op.result.type), value)


@conversion_expression.register(arith.TruncIOp)
def _(op: arith.TruncIOp, operands: Sequence[str], language: Language) -> str:
    return _truncated(operands[0], op.result.type)


def _truncated(value: str, kind: Attribute) -> str:
    return f"(({value} & 1) != 0)" if integer_width(kind) == 1 else cast(c_type(kind), value)


@conversion_expression.register(arith.FPToSIOp)
@conversion_expression.register(arith.ExtFOp)
@conversion_expression.register(arith.TruncFOp)
def _(op: arith.FPToSIOp | arith.ExtFOp | arith.TruncFOp, operands: Sequence[str], language: Language) -> str:
    return cast(c_type(op.result.type), operands[0])


@conversion_expression.register(arith.FPToUIOp)
def _(op: arith.FPToUIOp, operands: Sequence[str], language: Language) -> str:
    kind = op.result.type
    if integer_width(kind) == 1:
        return cast(c_type(kind), operands[0])
    return cast(c_type(kind), cast(unsigned_type(kind), operands[0]))


@conversion_expression.register(arith.BitcastOp)
def _(op: arith.BitcastOp, operands: Sequence[str], language: Language) -> str:
    return f"{language.helper('bits')}<{c_type(op.result.type)}>({operands[0]})"
