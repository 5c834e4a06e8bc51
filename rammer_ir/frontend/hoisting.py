"""What a program would compute from weights alone becomes a derived weight, computed once."""

from math import prod
from typing import cast

from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, SSAValue

from rammer_ir.dialects.rop import GenericOp, GetWeightOp
from rammer_ir.frontend.names import SymbolNames
from rammer_ir.weights.derivation import derive_weight


def hoist_weight_computations(module: ModuleOp, symbols: SymbolNames) -> None:
    """
    Replaces generics that read nothing but weights by derived weights, named after their results.

    Views of a weight stay: they cost nothing once they are part of a map. So does what is larger than its sources,
    such as a weight that is expanded, and what the model gives as an output.
    """
    for op in list(module.walk()):
        if isinstance(op, GenericOp) and isinstance(op.parent_op(), FuncOp) and _is_worth_deriving(op):
            derive_weight(op, symbols.new(op.res[0].name_hint or "derived"))


def _is_worth_deriving(op: GenericOp) -> bool:
    if len(op.res) != 1 or op.into or op.at or not op.inputs or op.extracted:
        return False
    if not all(isinstance(value.owner, GetWeightOp) for value in op.inputs):
        return False
    # An output is a tensor of its own.
    if any(isinstance(use.operation, ReturnOp) for use in op.res[0].uses):
        return False
    is_view = len(op.inputs) == 1 and len(list(op.body.block.ops)) == 1
    return not is_view and _elements(op.res[0]) <= sum(_elements(value) for value in op.inputs)


def _elements(value: SSAValue) -> int:
    return prod(cast("TensorType[Attribute]", value.type).get_shape())
