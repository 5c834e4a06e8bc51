"""The launches of a program, and the loops around launches, as nodes of a partial order."""

from collections.abc import Iterator, Sequence

from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr, AffineSymExpr

from rammer_ir.dialects.vdevice import ForOp, LaunchOp, ProgramOp, RunOp
from rammer_ir.errors import VerificationError
from rammer_ir.locations import describe_op
from rammer_ir.scheduling.boxes import Boxes
from rammer_ir.scheduling.dependencies import Predecessors
from rammer_ir.scheduling.program_form import ProgramForm, RunForm, constant_value, shape_of, task_boxes
from rammer_ir.scheduling.schedule import Access

Stage = LaunchOp | ForOp


def stages_of(program: ProgramOp) -> list[Stage]:
    """The launches of a program that stand in no loop, and its loops around launches, in text order."""
    return [op for op in program.body.block.ops if isinstance(op, LaunchOp | ForOp)]


def stage_order(stages: Sequence[Stage]) -> Predecessors:
    """
    For each stage, the stages that must have ended before it starts.

    A launch with a token comes after the launches it names, and after the last stage without a token. A stage without
    a token comes after all before it. Raises VerificationError for a token of no earlier launch.
    """
    numbers: dict[SSAValue, int] = {}
    order: list[list[int]] = []
    fence: list[int] = []
    since: list[int] = []
    """The last stage without a token, if any, and the stages after it."""
    for number, stage in enumerate(stages):
        if isinstance(stage, LaunchOp) and stage.token is not None:
            named = {numbers.get(token, number) for token in stage.after}
            if number in named:
                raise VerificationError(
                    "a launch comes after one that does not stand before it", location=describe_op(stage)
                )
            order.append(sorted(named.union(fence)))
            since.append(number)
            numbers[stage.token] = number
        else:
            order.append(fence + since)
            fence, since = [number], []
    return order


def accesses_of(form: ProgramForm, op: Operation) -> list[Access]:
    """What the runs in an op access, whatever loops around them and run-time lengths are at."""
    return [access for run in op.walk() if isinstance(run, RunOp) for access in _accesses(form, form.runs[run])]


def _accesses(form: ProgramForm, run: RunForm) -> Iterator[Access]:
    constants = [constant_value(value) for value in run.op.at]
    symbols = [0 if constant is None else constant for constant in constants]
    for value, box, write in run.operands:
        memory = form.numbers.get(value)
        if memory is None:
            continue
        shape = shape_of(value)
        boxes = task_boxes(box, run.points, symbols, shape)
        if None in constants:
            boxes = wherever(boxes, box.origin.data.results, shape)
        yield Access(memory, boxes, write)


def wherever(boxes: Boxes, origins: Sequence[AffineExpr], shape: Sequence[int]) -> Boxes:
    """The boxes as wide as their tensor where a symbol says where they are."""
    low, high = boxes.low.copy(), boxes.high.copy()
    for dim, origin in enumerate(origins):
        if any(isinstance(part, AffineSymExpr) for part in origin.dfs()):
            low[:, dim], high[:, dim] = 0, shape[dim]
    return Boxes(low, high)
