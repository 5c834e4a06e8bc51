"""How regions of the `rop` dialect end, and what they take."""

from collections.abc import Sequence

from xdsl.ir import (
    Attribute,
    Operation,
    Region,
    SSAValue,
)
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    lazy_traits_def,
    var_operand_def,
)
from xdsl.traits import (
    HasParent,
    IsTerminator,
    Pure,
)
from xdsl.utils.exceptions import VerifyException


def _yielding_ops() -> HasParent:
    """The ops whose regions end so; they need this module, so they are imported late."""
    from rammer_ir.dialects.rop_generic import GenericOp
    from rammer_ir.dialects.rop_operator import OperatorOp
    from rammer_ir.dialects.rop_scan import ScanOp
    from rammer_ir.dialects.rop_weight import WeightOp

    return HasParent(GenericOp, OperatorOp, ScanOp, WeightOp)


@irdl_op_definition
class YieldOp(IRDLOperation):
    """
    Ends a region of this dialect with the values it gives.

    Example: `rop.yield %sum : f32`
    """

    name = "rop.yield"
    values = var_operand_def()
    traits = lazy_traits_def(lambda: (IsTerminator(), Pure(), _yielding_ops()))
    assembly_format = "attr-dict ($values^ `:` type($values))?"

    def __init__(self, *values: SSAValue | Operation) -> None:
        super().__init__(operands=[list(values)])


def verify_region_arguments(op: Operation, region: Region, wanted: Sequence[Attribute]) -> None:
    """Raise VerifyException unless a region takes arguments of these types."""
    if [argument.type for argument in region.block.args] != list(wanted):
        raise VerifyException(f"the region of {op.name} must take {', '.join(map(str, wanted)) or 'nothing'}")


def verify_yielded(op: Operation, region: Region, wanted: Sequence[Attribute]) -> None:
    """Raise VerifyException unless a region ends with `rop.yield` of values of these types."""
    last = region.block.last_op
    if not isinstance(last, YieldOp):
        raise VerifyException(f"the region of {op.name} must end with rop.yield")
    if [value.type for value in last.values] != list(wanted):
        raise VerifyException(f"the region of {op.name} must yield {', '.join(map(str, wanted)) or 'nothing'}")
