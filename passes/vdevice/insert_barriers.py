"""The synchronisation of the persistent strategy: vEUs meet where a conflict calls for it (Rammer's barrier-rTask)."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.vdevice import BarrierOp, GroupOp, LaunchOp, RunOp
from rammer_ir.errors import PassError
from rammer_ir.locations import builder_at, describe_op, location_of
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.barriers import barriers_before
from rammer_ir.scheduling.loops import launch_cases
from rammer_ir.scheduling.program_form import ProgramForm, programs_of, read_program
from rammer_ir.scheduling.unroll import unroll


@dataclass(frozen=True)
class InsertBarriers(Pass):
    """
    Puts a barrier before every run that conflicts with something since the last one, also with an earlier iteration.

    Runs conflict where their boxes of a memory overlap and one writes; tasks of one vEU are in order anyway.
    """

    name = "insert-barriers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for program in programs_of(op):
            form = read_program(op, program)
            for launch in [found for found in program.walk() if isinstance(found, LaunchOp)]:
                _insert(form, launch)


def _insert(form: ProgramForm, launch: LaunchOp) -> None:
    for op in launch.walk():
        if isinstance(op, GroupOp):
            raise PassError("insert-barriers takes launches without groups", location=describe_op(op))
    runs = [op for op in launch.walk() if isinstance(op, RunOp)]
    numbers = {op: number for number, op in enumerate(runs)}
    wanted: set[int] = set()
    for case in launch_cases(form, launch):
        unrolled = unroll(form, launch, case.values, case.windows, case.open_lengths)
        names = [-1 if run is None else numbers[run.op] for run in unrolled.runs]
        wanted |= barriers_before(unrolled.schedule.steps, names)
    for number in wanted:
        run = runs[number]
        builder_at(InsertPoint.before(run), location_of(run)).insert(BarrierOp())
