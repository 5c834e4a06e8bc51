"""Generics become rOperators."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects.rop import GenericOp, OperatorOp, YieldOp
from rammer_ir.fusion.groups import Group, fusion_groups
from rammer_ir.generics.blocks import generic_blocks
from rammer_ir.locations import fuse_locations, set_location
from rammer_ir.pass_api import Pass


@dataclass(frozen=True)
class FuseOperators(Pass):
    """
    Puts every generic into one `rop.operator`, together with those that can be cut into the same rTasks.

    A contraction takes along what follows it element by element; element-wise chains become one operator, and so do row
    reductions (softmax, layer norm) with the element-wise work on rows of at most `row_limit` elements. The rule is in
    `rammer_ir.fusion.legality`, the choice in `rammer_ir.fusion.groups`. Maps should be simplified: only loop
    dimensions that are used as they are, plainly, connect generics. An operator's results are those of its last
    generic; a contraction is its first.
    """

    name = "fuse-operators"
    row_limit: int = 16384

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for block in list(generic_blocks(op)):
            for group in fusion_groups(block, self.row_limit):
                _build_operator(group)


def _build_operator(group: Group) -> None:
    root = group[-1]
    operands = _outside_values(group)
    body = Block(arg_types=[value.type for value in operands])
    operator = OperatorOp(operands, root.result_types, Region(body))
    operator.location = fuse_locations(group)
    Rewriter.insert_op(operator, InsertPoint.before(root))
    for old, new in zip(root.res, operator.res, strict=True):
        new.name_hint = old.name_hint
        old.replace_all_uses_with(new)
    arguments = dict(zip(operands, body.args, strict=True))
    for value, argument in arguments.items():
        argument.name_hint = value.name_hint
    for member in group:
        for nested in member.walk():
            nested.operands = [arguments.get(operand, operand) for operand in nested.operands]
        member.detach()
        body.add_op(member)
    body.add_op(YieldOp(*root.res))
    set_location(operator, operator.location)


def _outside_values(group: Sequence[GenericOp]) -> list[SSAValue]:
    """What the group uses and does not define, in the order of first use."""
    outside: dict[SSAValue, None] = {}
    for member in group:
        for nested in member.walk():
            outside.update((operand, None) for operand in nested.operands if not _is_inside(operand, group))
    return list(outside)


def _is_inside(value: SSAValue, group: Sequence[GenericOp]) -> bool:
    owner: Operation | Block | None = value.owner
    while owner is not None:
        if owner in group:
            return True
        owner = owner.parent_op()
    return False
