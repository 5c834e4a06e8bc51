"""Generics that are sums of products of an operand and a weight of their own."""

from xdsl.dialects.arith import MulfOp
from xdsl.dialects.builtin import Float32Type, FloatAttr, UnitAttr
from xdsl.ir import Attribute, BlockArgument, SSAValue

from rammer_ir.dialects.rop import Combiner, GenericOp, GetWeightOp, OperatorOp, YieldOp


def is_sum_of_products(generic: GenericOp) -> bool:
    """Whether a generic sums float32 products of its two inputs, where both are zero out of range."""
    operations = list(generic.body.block.ops)
    if len(generic.inputs) != 2 or generic.combiners != (Combiner.ADD,) or len(operations) != 2:
        return False
    product, last = operations
    return (
        all(map(_is_zero, generic.pads))
        and isinstance(product, MulfOp)
        and isinstance(last, YieldOp)
        and set(product.operands) == set(generic.body.block.args)
        and tuple(last.values) == (product.result,)
        and isinstance(product.result.type, Float32Type)
    )


def _is_zero(pad: Attribute) -> bool:
    return isinstance(pad, UnitAttr) or (isinstance(pad, FloatAttr) and pad.value.data == 0.0)


def is_weight_of_its_own(operator: OperatorOp, value: SSAValue) -> bool:
    """Whether a value is a weight that is read once in the operator: it can be packed for that reader."""
    if not isinstance(value, BlockArgument) or value.block is not operator.body.block:
        return False
    return isinstance(operator.inputs[value.index].owner, GetWeightOp) and len(list(value.uses)) == 1
