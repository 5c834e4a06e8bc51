"""Block-form bodies for the steps of recurrences, which keep their weights in registers."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.dialects.block import BodyOp
from rammer_ir.dialects.vdevice import RunOp
from rammer_ir.errors import RammerError
from rammer_ir.locations import describe_op
from rammer_ir.lowering.bodies.body_builder import ShapedBodyBuilder
from rammer_ir.lowering.bodies.kernel_view import KernelView, kernel_views
from rammer_ir.lowering.bodies.recurrence_body import RecurrenceBody
from rammer_ir.lowering.convert_generic_to_block import add_body, implement
from rammer_ir.pass_api import Pass
from rammer_ir.tiling.recurrence import Step, match_step


@dataclass(frozen=True)
class ConvertRecurrenceToBlock(Pass):
    """
    Gives every kernel of a program with a tiling of the kind `recurrence` for several threads a body in block form.

    Threads load the weights of their units into registers once. In each step they wait for the states, a thread a word,
    stage them in shared memory, and multiply: a power of two of threads, the lanes of a unit, share its sums. Then the
    first lane computes the unit's states, and writes them. What the next step needs of others than its own layer comes
    together with the states, and is multiplied while the new states are on their way.
    """

    name = "convert-recurrence-to-block"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        bodies = {body.sym_name.data for body in op.body.block.ops if isinstance(body, BodyOp)}
        for view in list(kernel_views(op)):
            if view.tiling.kind != "recurrence" or view.tiling.threads == 1:
                continue
            if not any(generic.reduction_dims() for generic in view.generics):
                implement(view, bodies)
                continue
            builder = ShapedBodyBuilder(view.operands(), view.tiling.threads)
            body = RecurrenceBody(view, _step(view), builder, _own_reads(op, view)).build()
            add_body(view.kernel, body, builder.parameters, bodies)


def _own_reads(module: ModuleOp, view: KernelView) -> frozenset[int]:
    """The numbers of the tensors that a run of a kernel reads and writes."""
    name = view.kernel.sym_name.data
    runs = [op for op in module.walk() if isinstance(op, RunOp) and op.kernel.string_value() == name]
    return frozenset(
        number for run in runs for number, value in enumerate(run.inputs) if any(value is out for out in run.outputs)
    )


def _step(view: KernelView) -> Step:
    """The step that a kernel is; raises RammerError if it is none."""
    step = match_step(view.generics, len(view.kernel.grid))
    if step is None:
        name = view.kernel.sym_name.data
        raise RammerError(f"kernel @{name} is no step of a recurrence", location=describe_op(view.kernel))
    return step
