"""The order of launches that a program needs, in place of that of its text."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.vdevice import LaunchOp
from rammer_ir.locations import builder_at, location_of
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.dependencies import dependencies
from rammer_ir.scheduling.program_form import ProgramForm, programs_of, read_program
from rammer_ir.scheduling.stages import accesses_of, stages_of


@dataclass(frozen=True)
class OrderLaunches(Pass):
    """
    Gives every launch a token, and names the launches that it comes after: those whose accesses conflict with its own.

    Only what does not follow from the rest is named. Launches that nothing orders may then run at the same time, so
    this stands before `plan-memory`. Loops around launches stay where they are, in order with everything else.
    """

    name = "order-launches"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for program in programs_of(op):
            _order(read_program(op, program))


def _order(form: ProgramForm) -> None:
    stages = stages_of(form.op)
    tokens: dict[int, SSAValue] = {}
    predecessors = dependencies([accesses_of(form, stage) for stage in stages])
    for number, (stage, earlier) in enumerate(zip(stages, predecessors, strict=True)):
        if not isinstance(stage, LaunchOp):
            continue
        # A loop has no token: whatever comes after it in the text comes after it anyway.
        after = [tokens[node] for node in earlier if node in tokens]
        body = stage.detach_region(stage.body)
        ordered = stage.with_same_budget(body, after=after)
        ordered.attributes = stage.attributes
        tokens[number] = builder_at(InsertPoint.before(stage), location_of(stage)).insert(ordered).results[0]
        stage.detach()
        stage.erase()
