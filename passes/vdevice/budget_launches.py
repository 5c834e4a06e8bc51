"""Launches get the scratch memory that their bodies need."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.dialects.integers import integer
from rammer_ir.lowering.body_needs import needs_by_body
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.loops import runs_in
from rammer_ir.scheduling.program_form import launches_of, programs_of, read_program


@dataclass(frozen=True)
class BudgetLaunches(Pass):
    """
    Sets the scratch memory of every launch to what the bodies of its kernels need at most.

    For launches whose bodies were made after them.
    """

    name = "budget-launches"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        needs = needs_by_body(op)
        for program in programs_of(op):
            form = read_program(op, program)
            for launch in launches_of(program):
                names = {
                    run.kernel.implementation.string_value()
                    for run in runs_in(form, launch)
                    if run.kernel.implementation is not None
                }
                wanted = max((needs[name].scratch_bytes for name in names if name in needs), default=0)
                launch.scratch_bytes_ = integer(wanted)
