"""Block-form bodies for kernels of any generics that one thread computes: loops over neighbours in memory."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.dialects.block import BodyOp
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.kernel_view import kernel_views
from rammer_ir.lowering.bodies.serial_body import SerialBody
from rammer_ir.lowering.convert_generic_to_block import add_body
from rammer_ir.pass_api import Pass


@dataclass(frozen=True)
class ConvertGenericToLoops(Pass):
    """
    Gives every kernel with a generic tiling, or one of a recurrence, for one thread a body in block form.

    Each generic is a nest of loops; the innermost runs along neighbours in memory, so that compilers make vectors of
    it. If those are neighbours of results, reductions go on around it, with a row of running totals in scratch memory;
    if only of what is reduced, each result is reduced at once. What one generic leaves to the next lies in scratch
    memory, or is computed where it is used if that is only once.
    """

    name = "convert-generic-to-loops"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        bodies = {body.sym_name.data for body in op.body.block.ops if isinstance(body, BodyOp)}
        for view in list(kernel_views(op)):
            if view.tiling.kind in ("generic", "recurrence") and view.tiling.threads == 1:
                builder = BodyBuilder(view.operands(), threads=1)
                add_body(view.kernel, SerialBody(view, builder).build(), builder.parameters, bodies)
