"""Launches as large as what they run."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import AffineMapAttr, ModuleOp
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects.integers import integer
from rammer_ir.dialects.vdevice import LaunchOp, RunOp
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.dependencies import dependencies
from rammer_ir.scheduling.program_form import ProgramForm, launches_of, programs_of, read_program
from rammer_ir.scheduling.stages import accesses_of
from rammer_ir.scheduling.wavefront import balanced_offsets


@dataclass(frozen=True)
class FitLaunches(Pass):
    """
    Gives a launch no more vEUs than it has tasks, and spreads its runs over them, where none of its runs depend on
    each other.

    A launch of few tasks then takes few blocks of a GPU and leaves the others to launches beside it.
    """

    name = "fit-launches"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for program in programs_of(op):
            form = read_program(op, program)
            for launch in launches_of(program):
                _fit(form, launch)


def _fit(form: ProgramForm, launch: LaunchOp) -> None:
    runs = [op for op in launch.body.block.ops if isinstance(op, RunOp)]
    if len(runs) != len(launch.body.block.ops) or any(dependencies([accesses_of(form, run) for run in runs])):
        return
    tasks = [run.last - run.first for run in runs]
    costs = [1.0 if run.cost is None else run.cost.microseconds for run in runs]
    veus = min(launch.veus, sum(tasks))
    for run, count, offset in zip(runs, tasks, balanced_offsets(tasks, costs, veus), strict=True):
        veu = AffineExpr.dimension(0) + (offset - run.first)
        if offset + count > veus:
            veu = veu % veus
        run.place = AffineMapAttr(AffineMap(1, 0, (veu,)))
    launch.veus_ = integer(veus)
