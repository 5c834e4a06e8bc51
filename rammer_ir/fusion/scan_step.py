"""All that a step of a scan computes as one rOperator."""

from xdsl.dialects.arith import ConstantOp
from xdsl.ir import Block, Region, SSAValue

from rammer_ir.dialects.rop import GenericOp, OperatorOp, ScanOp, YieldOp
from rammer_ir.locations import fuse_locations, set_location


def fused_step(scan: ScanOp) -> OperatorOp | None:
    """
    One operator, in no block yet, with the generics of all operators of a step, the last one's results its own.

    None where the step does something else, or gives results of others.
    """
    operators = [op for op in scan.body.block.ops if isinstance(op, OperatorOp)]
    rest = [op for op in scan.body.block.ops if not isinstance(op, OperatorOp | ConstantOp)]
    if not operators or any(not isinstance(op, YieldOp) for op in rest):
        return None
    last = scan.body.block.last_op
    if last is None or any(value.owner is not operators[-1] for value in last.operands):
        return None
    body = Block()
    inputs: dict[SSAValue, SSAValue] = {}
    values: dict[SSAValue, SSAValue] = {}
    for operator in operators:
        for argument, value in zip(operator.body.block.args, operator.inputs, strict=True):
            if value in values:
                values[argument] = values[value]
                continue
            if value not in inputs:
                inputs[value] = body.insert_arg(value.type, len(body.args))
                inputs[value].name_hint = argument.name_hint
            values[argument] = inputs[value]
        for op in operator.body.block.ops:
            if isinstance(op, GenericOp):
                body.add_op(op.clone(values))
            elif isinstance(op, YieldOp):
                values.update(zip(operator.res, (values[value] for value in op.values), strict=True))
    body.add_op(YieldOp(*(values[value] for value in operators[-1].res)))
    fused = OperatorOp(list(inputs), operators[-1].result_types, Region(body))
    fused.location = fuse_locations(operators)
    set_location(fused, fused.location)
    return fused
