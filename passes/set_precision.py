"""How exactly the products of a module are computed."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr

from rammer_ir.dialects.rop_attributes import PRECISION_ATTRIBUTE, Arithmetic
from rammer_ir.errors import InvalidInputError
from rammer_ir.pass_api import Pass


@dataclass(frozen=True)
class SetPrecision(Pass):
    """
    Allows products of float32 factors to be computed less exactly: `tf32`, `3xtf32`; `fp32` takes that back.

    Sums stay float32. Where a device, or a kernel, has no such arithmetic, its products are more exact.
    """

    name = "set-precision"
    precision: str

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if self.precision not in tuple(Arithmetic):
            raise InvalidInputError(f"unknown precision '{self.precision}': choose from {', '.join(Arithmetic)}")
        if self.precision == Arithmetic.FP32.value:
            op.attributes.pop(PRECISION_ATTRIBUTE, None)
        else:
            op.attributes[PRECISION_ATTRIBUTE] = StringAttr(self.precision)
