"""
Ops without effects as C expressions.

An expression is given complete: in parentheses, or as a call, so that it may stand anywhere.
"""

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, f32
from xdsl.ir import Attribute, Operation

from rammer_ir.errors import CompileError
from rammer_ir.lowering.targets.c_conversions import conversion_expression
from rammer_ir.lowering.targets.c_floats import float_expression
from rammer_ir.lowering.targets.c_integers import integer_expression
from rammer_ir.lowering.targets.c_language import Language
from rammer_ir.lowering.targets.c_text import cast
from rammer_ir.lowering.targets.c_types import c_type, constant_value, float_literal, integer_literal, is_half

_DIALECTS = ("arith.", "math.")


def is_expression(op: Operation) -> bool:
    """Whether an op gives one number and does nothing else."""
    return op.name.startswith(_DIALECTS)


def expression(op: Operation, operands: Sequence[str], language: Language) -> str:
    """The op's result, its operands given as expressions; raises CompileError for an op that is not printed."""
    if isinstance(op, arith.ConstantOp):
        return literal(constant_value(op.value), op.result.type, language)
    for form in (integer_expression, _float_expression, conversion_expression):
        text = form(op, operands, language)
        if text is not None:
            return text
    raise CompileError(f"{op.name} has no form in C")


def _float_expression(op: Operation, operands: Sequence[str], language: Language) -> str | None:
    """Results of 16 bits are computed as floats: each is rounded at once, also where it has no name."""
    text = float_expression(op, operands, language)
    kind = op.results[0].type
    return cast(c_type(kind), text) if text is not None and is_half(kind) else text


def literal(value: float, kind: Attribute, language: Language) -> str:
    """A number of the given type."""
    if isinstance(value, int):
        return integer_literal(value, kind)
    if is_half(kind):
        return cast(c_type(kind), literal(value, f32, language))
    text = float_literal(value, kind)
    return language.special_float(_special_bits(value, kind), kind) if text is None else text


def _special_bits(value: float, kind: Attribute) -> int:
    """The bits of an infinity or of a quiet NaN."""
    is_single = isinstance(kind, Float32Type)
    if value != value:
        return 0x7FC00000 if is_single else 0x7FF8000000000000
    infinity, sign = (0x7F800000, 1 << 31) if is_single else (0x7FF0000000000000, 1 << 63)
    return infinity | (sign if value < 0 else 0)
