"""Waves, and the vEUs that tasks run on (Rammer's wavefront schedule)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import AffineMapAttr, IntegerAttr, ModuleOp, i64
from xdsl.ir import Block
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects.rop import ScanOp
from rammer_ir.dialects.rtask import DispatchOp, KernelOp
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.dispatch_form import kernel_of, read_block
from rammer_ir.scheduling.program_form import device_of, kernels_of
from rammer_ir.scheduling.storage import WAVE_ATTRIBUTE, entry_function
from rammer_ir.scheduling.wavefront import balanced_offsets, wave_numbers


@dataclass(frozen=True)
class ScheduleWavefront(Pass):
    """
    Sets `wave` and `place` of every dispatch.

    A dispatch is in the first wave after all that it depends on; dependencies follow from boxes. The dispatches of a
    wave are spread over the vEUs of the module's device: tasks go to vEUs in turn, beginning where there is least to
    do. A scan is one node of the waves around it, and has waves of its own inside.
    """

    name = "schedule-wavefront"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        veus, kernels = device_of(op).veus, kernels_of(op)
        _schedule(entry_function(op).body.block, kernels, veus)


def _schedule(block: Block, kernels: Mapping[str, KernelOp], veus: int) -> None:
    form = read_block(block, kernels)
    waves = wave_numbers(form.accesses)
    for node, wave in zip(form.nodes, waves, strict=True):
        if isinstance(node, ScanOp):
            node.attributes[WAVE_ATTRIBUTE] = IntegerAttr(wave, i64)
            _schedule(node.body.block, kernels, veus)
        else:
            node.wave = wave
    for wave in range(max(waves, default=-1) + 1):
        dispatches = [node for node in form.nodes if isinstance(node, DispatchOp) and node.wave == wave]
        _place(dispatches, kernels, veus)


def _place(dispatches: Sequence[DispatchOp], kernels: Mapping[str, KernelOp], veus: int) -> None:
    """Places the dispatches of one wave."""
    tasks = [kernel_of(dispatch, kernels).tasks for dispatch in dispatches]
    costs = [1.0 if dispatch.cost is None else dispatch.cost.microseconds for dispatch in dispatches]
    for dispatch, count, offset in zip(dispatches, tasks, balanced_offsets(tasks, costs, veus), strict=True):
        veu = AffineExpr.dimension(0) + offset
        if offset + count > veus:
            veu = veu % veus
        dispatch.place = AffineMapAttr(AffineMap(1, 0, (veu,)))
