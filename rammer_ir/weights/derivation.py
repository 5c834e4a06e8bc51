"""Making derived weights of computations on weights."""

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects.nesting import enclosing_op
from rammer_ir.dialects.rop import GenericOp, GetWeightOp, WeightOp, YieldOp
from rammer_ir.locations import set_location


def derive_weight(op: GenericOp, symbol: str) -> SSAValue:
    """
    Replaces a generic with one result that reads nothing but weights by the derived weight `symbol`; its value.

    The generic becomes the recipe of the weight, which stands before the function.
    """
    result: TensorType[Attribute] = op.res[0].type
    recipe = Block()
    copies: dict[SSAValue, SSAValue] = {}
    for read in dict.fromkeys(value.owner for value in op.inputs):
        assert isinstance(read, GetWeightOp)
        copy = GetWeightOp(read.weight.string_value(), read.result.type)
        recipe.add_op(copy)
        copies[read.result] = copy.result
    computed = op.clone(copies)
    recipe.add_ops([computed, YieldOp(*computed.res)])
    weight = WeightOp(symbol, result, recipe=Region(recipe))
    set_location(weight, op.location)
    function = enclosing_op(op, FuncOp)
    assert function is not None
    Rewriter.insert_op(weight, InsertPoint.before(function))
    read = GetWeightOp(symbol, result)
    read.location = op.location
    Rewriter.replace_op(op, [read])
    return read.result
