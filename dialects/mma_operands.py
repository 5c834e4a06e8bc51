"""What ops of the dialects `block` and `cuda` for tensor cores have in common: operands, results and text."""

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import StringAttr, f32
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    operand_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from rammer_ir.dialects.assembly import parse_attribute_dictionary


class FactorFormat(StrEnum):
    """The format of the factors; sums are float32 always."""

    TF32 = "tf32"


FACTOR_TYPES: dict[FactorFormat, Attribute] = {FactorFormat.TF32: f32}
"""The type of a value that holds factors of a format."""


class Tf32Rounding(IRDLOperation):
    """Of a float32 to a tf32 number."""

    value = operand_def(f32)
    result = result_def(f32)
    traits = traits_def(Pure())
    assembly_format = "$value attr-dict"

    def __init__(self, value: SSAValue | Operation) -> None:
        super().__init__(operands=[value], result_types=[f32])


class MmaOperands(IRDLOperation):
    """Of a product of matrices that the lanes of a warp hold: four factors X, two factors W, four sums of each lane."""

    format_ = prop_def(StringAttr, prop_name="format")
    x = var_operand_def()
    w = var_operand_def()
    sums = var_operand_def(f32)
    results_ = var_result_def(f32)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        factors: FactorFormat,
        x: Sequence[SSAValue | Operation],
        w: Sequence[SSAValue | Operation],
        sums: Sequence[SSAValue | Operation],
    ) -> None:
        super().__init__(
            operands=[list(x), list(w), list(sums)],
            result_types=[[f32] * 4],
            properties={"format": StringAttr(factors.value)},
        )

    @property
    def factors(self) -> FactorFormat:
        return FactorFormat(self.format_.data)

    def verify_operands(self) -> None:
        """Raise VerifyException if the numbers or types of the operands are not those of the format."""
        if self.format_.data not in tuple(FactorFormat):
            raise VerifyException(f"factors are {', '.join(FactorFormat)}, not {self.format_.data}")
        counts = (len(self.x), len(self.w), len(self.sums), len(self.results_))
        if counts != (4, 2, 4, 4):
            raise VerifyException("a lane has four factors X, two factors W and four sums")
        wrong = [value.type for value in (*self.x, *self.w) if value.type != FACTOR_TYPES[self.factors]]
        if wrong:
            raise VerifyException(f"factors of format {self.factors.value} are no values of type {wrong[0]}")

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.format_.data}")
        for operands in (self.x, self.w, self.sums):
            printer.print_string(" [")
            printer.print_list(operands, printer.print_ssa_value)
            printer.print_string("]")
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        factors = parser.parse_str_enum(FactorFormat)
        kinds = (FACTOR_TYPES[factors], FACTOR_TYPES[factors], f32)
        operands = [
            [
                parser.resolve_operand(operand, kind)
                for operand in parser.parse_comma_separated_list(
                    parser.Delimiter.SQUARE, parser.parse_unresolved_operand
                )
            ]
            for kind in kinds
        ]
        attributes = parse_attribute_dictionary(parser)
        op = cls(factors, *operands)
        op.attributes = attributes
        return op
