"""Block-form bodies for matrix-vector products: the matrix streams through the weight ring, the vectors are staged."""

from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.dialects.block import BodyOp
from rammer_ir.dialects.rtask import MatrixVectorAttr
from rammer_ir.errors import RammerError
from rammer_ir.locations import describe_op
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.kernel_view import KernelView, kernel_views
from rammer_ir.lowering.bodies.matrix_vector_body import MatrixVectorBody
from rammer_ir.lowering.bodies.matrix_vector_shape import MatrixVectorShape
from rammer_ir.lowering.convert_generic_to_block import add_body
from rammer_ir.pass_api import Pass


@dataclass(frozen=True)
class ConvertMatrixVectorToBlock(Pass):
    """
    Gives every matrix-vector kernel a body in block form.

    Chunks of W come through the ring, pushed by the service role ahead of all waits; the vectors are copied to shared
    memory, whole or in panels. A thread has one column of W and one slice of K, and sums in registers for all vectors;
    between two chunks it waits for the ring alone. At the end the slices are added in shared memory in a fixed order,
    the element-wise rest of the operator is applied, and the tile is written.
    """

    name = "convert-matrix-vector-to-block"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        bodies = {body.sym_name.data for body in op.body.block.ops if isinstance(body, BodyOp)}
        for view in list(kernel_views(op)):
            roles = view.kernel.attributes.get("matrix_vector")
            if not isinstance(roles, MatrixVectorAttr):
                continue
            shape = _shape(view, roles)
            builder = BodyBuilder(view.operands(), shape.threads)
            body = MatrixVectorBody(view, roles, shape, builder).build()
            add_body(view.kernel, body, builder.parameters, bodies)


def _shape(view: KernelView, roles: MatrixVectorAttr) -> MatrixVectorShape:
    """How the threads share the tile of a kernel; raises RammerError if they cannot."""
    tiling = view.tiling
    if tiling.kind == "matrix_vector":
        columns, rows = tiling.block
        vectors = prod(view.generics[0].bounds[dim] for dim in roles.m)
        shape = MatrixVectorShape(vectors, columns, rows, tiling.slices, roles.chunks)
        if shape.fits(tiling.threads):
            return shape
    raise RammerError(
        f"the threads of kernel @{view.kernel.sym_name.data} cannot share its matrix-vector product: {tiling}",
        location=describe_op(view.kernel),
    )
