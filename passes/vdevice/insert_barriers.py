"""The synchronisation of the persistent strategy: vEUs meet where a conflict calls for it (Rammer's barrier-rTask)."""

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.vdevice import BarrierOp, ForOp, GroupOp, LaunchOp, RunOp
from rammer_ir.locations import builder_at, location_of
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.barriers import BarrierPlan, NamedStep
from rammer_ir.scheduling.loops import launch_cases
from rammer_ir.scheduling.program_form import ProgramForm, enclosing_loop, launches_of, programs_of, read_program
from rammer_ir.scheduling.schedule import Barrier, TaskRun
from rammer_ir.scheduling.unroll import unroll


@dataclass(frozen=True)
class InsertBarriers(Pass):
    """
    Puts a barrier before every run that conflicts with something since the last one, also with an earlier iteration.

    A loop that only begins in conflict with what is before it gets one barrier before the loop. Runs conflict where
    their boxes of a memory overlap and one writes; tasks of one vEU are in order anyway. A launch with groups says
    itself how its vEUs wait for each other.
    """

    name = "insert-barriers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for program in programs_of(op):
            form = read_program(op, program)
            for launch in launches_of(program):
                _insert(form, launch)


def _insert(form: ProgramForm, launch: LaunchOp) -> None:
    if any(isinstance(op, GroupOp) for op in launch.walk()):
        return
    ops = [op for op in launch.walk() if isinstance(op, RunOp | ForOp)]
    names: dict[Operation, int] = {op: name for name, op in enumerate(ops)}
    plan = BarrierPlan()
    for case in reversed(list(launch_cases(form, launch))):
        unrolled = unroll(form, launch, case.values, case.windows, case.open_lengths)
        steps = zip(unrolled.schedule.steps, unrolled.ops, strict=True)
        plan.extend([_named(step, op, names) for step, op in steps])
    for name in (*plan.runs, *plan.loops):
        op = ops[name]
        builder_at(InsertPoint.before(op), location_of(op)).insert(BarrierOp())


def _named(step: TaskRun | Barrier, op: RunOp | BarrierOp, names: Mapping[Operation, int]) -> NamedStep:
    loop = enclosing_loop(op)
    return NamedStep(step, names.get(op, -1), None if loop is None else names.get(loop))
