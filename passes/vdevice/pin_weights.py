"""Weights of recurrences that are too many for registers are kept in shared memory."""

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import AffineMapAttr, ModuleOp
from xdsl.ir.affine import AffineMap
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.integers import integer
from rammer_ir.dialects.nesting import enclosing_op
from rammer_ir.dialects.rop import GenericOp
from rammer_ir.dialects.rtask import BoxAttr, KernelOp
from rammer_ir.dialects.vdevice import DeviceOp, ForOp, GroupOp, PinOp, RunOp, WeightOp
from rammer_ir.locations import builder_at
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.program_checks import pinned_bytes
from rammer_ir.scheduling.program_form import device_of, kernels_of, launches_of, programs_of
from rammer_ir.tiling.recurrence import match_step
from rammer_ir.tiling.recurrence_plan import pinned_products


@dataclass(frozen=True)
class PinWeights(Pass):
    """
    Pins weights of steps of recurrences in the shared memory of the vEUs that use them.

    Those of as many products, the first ones, as have to be for the others to fit into the registers of the threads.
    Runs are those of a group that has one task a vEU, in loops.
    """

    name = "pin-weights"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        kernels = kernels_of(op)
        for program in programs_of(op):
            device = device_of(op, program.device.string_value())
            for run in [found for found in program.walk() if isinstance(found, RunOp)]:
                loop, group = enclosing_op(run, ForOp), enclosing_op(run, GroupOp)
                if loop is not None and group is not None:
                    _pin(run, loop, kernels, device)
            for launch in launches_of(program):
                launch.pinned_bytes_ = integer(pinned_bytes(launch))


def _still(box: BoxAttr) -> BoxAttr:
    """A box that is the same in every step, by the number of the vEU."""
    return BoxAttr(AffineMapAttr(AffineMap(1, 0, box.origin.data.results)), box.sizes)


def _pin(run: RunOp, loop: ForOp, kernels: Mapping[str, KernelOp], device: DeviceOp) -> None:
    kernel = kernels[run.kernel.string_value()]
    tiling = kernel.tiling
    if tiling is None or not kernel.is_of_recurrence or device.kind.data != "cuda":
        return
    step = match_step([op for op in kernel.region.block.ops if isinstance(op, GenericOp)], len(kernel.grid))
    if step is None:
        return
    builder = builder_at(InsertPoint.before(loop), loop.location)
    for product in step.products[: pinned_products(step, step.units, tiling.threads, device) or 0]:
        number = list(kernel.read_arguments).index(product.generic.inputs[product.w])
        weight = run.inputs[number]
        if isinstance(weight.owner, WeightOp):
            pin = PinOp(weight, _still(kernel.reads.data[number]))
            pin.result.name_hint = weight.name_hint
            run.operands[number] = builder.insert(pin).result
