"""Estimates of what tasks cost."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.cost.analytic import task_microseconds
from rammer_ir.cost.device_rates import rates_of
from rammer_ir.cost.kernel_work import task_work
from rammer_ir.dialects.rtask import CostAttr, DispatchOp
from rammer_ir.errors import PassError
from rammer_ir.locations import describe_op
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.program_form import device_of, kernels_of


@dataclass(frozen=True)
class AnnotateCosts(Pass):
    """
    Gives every dispatch the estimated time of one of its tasks on the module's device, with the source "analytic".

    A task takes the longest of its arithmetic, its traffic with the shared cache and its share of the traffic with
    memory, and a fixed time. Operations are counted in the kernel's region, bytes in its boxes.
    """

    name = "annotate-costs"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        device = device_of(op)
        rates = rates_of(device)
        kernels = kernels_of(op)
        for dispatch in op.walk():
            if not isinstance(dispatch, DispatchOp):
                continue
            kernel = kernels.get(dispatch.kernel.string_value())
            if kernel is None:
                raise PassError(f"there is no kernel {dispatch.kernel}", location=describe_op(dispatch))
            time = task_microseconds(task_work(dispatch, kernel), kernel.tasks, device.veus, rates)
            dispatch.cost = CostAttr.of(float(f"{time:.4g}"), "analytic")
