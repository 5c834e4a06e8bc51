"""The choice among alternatives."""

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Region
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.cost.analytic import wave_microseconds
from rammer_ir.cost.device_rates import rates_of
from rammer_ir.cost.devices.description import Rates
from rammer_ir.dialects.rtask import AlternativesOp, DispatchOp, YieldOp
from rammer_ir.errors import InvalidInputError, PassError
from rammer_ir.locations import describe_op
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.program_form import device_of, kernels_of
from rammer_ir.scheduling.symbols import erase_unused_symbols

Policy = Callable[[float, int, int, Rates], float]
"""From the time of a task, the number of tasks, the vEUs and the rates to what is to be least."""


def _veu_time(task_time: float, tasks: int, veus: int, rates: Rates) -> float:
    """The time that a dispatch takes of all vEUs together (Rammer's efficient rKernel)."""
    return task_time * tasks


POLICIES: dict[str, Policy] = {"fastest": wave_microseconds, "efficient": _veu_time}
"""What the candidate that is kept has least of, by the name of the policy."""


@dataclass(frozen=True)
class SelectKernels(Pass):
    """
    Keeps one candidate of each `rtask.alternatives`, in its place; kernels, bodies and weights that are left over go.

    Policy `fastest` keeps the one whose dispatches, one after another on all vEUs, take least time; `efficient` the one
    that takes least time of all vEUs together, for waves that fill the device anyway.
    """

    name = "select-kernels"
    policy: str = "fastest"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if self.policy not in POLICIES:
            raise InvalidInputError(f"unknown policy '{self.policy}': choose from {', '.join(POLICIES)}")
        device = device_of(op)
        rates, kernels = rates_of(device), kernels_of(op)

        def cost(candidate: Region) -> float:
            total = 0.0
            for dispatch in candidate.walk():
                if isinstance(dispatch, DispatchOp):
                    if dispatch.cost is None:
                        raise PassError("a dispatch has no cost: run annotate-costs", location=describe_op(dispatch))
                    tasks = kernels[dispatch.kernel.string_value()].tasks
                    total += POLICIES[self.policy](dispatch.cost.microseconds, tasks, device.veus, rates)
            return total

        # Inner alternatives first: what is kept of an outer one is then one way.
        for alternatives in reversed([found for found in op.walk() if isinstance(found, AlternativesOp)]):
            _keep(alternatives, min(alternatives.candidates, key=cost))
        erase_unused_symbols(op)


def _keep(alternatives: AlternativesOp, candidate: Region) -> None:
    last = candidate.block.last_op
    assert isinstance(last, YieldOp)
    Rewriter.inline_block(candidate.block, InsertPoint.before(alternatives), alternatives.inputs)
    for result, value in zip(alternatives.res, last.values, strict=True):
        result.replace_all_uses_with(value)
    last.detach()
    last.erase()
    alternatives.detach()
    alternatives.erase()
