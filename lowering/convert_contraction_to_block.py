"""Block-form bodies for contractions: tiles of X go through shared memory, W through the weight ring."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.dialects.block import BodyOp
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.errors import RammerError
from rammer_ir.locations import describe_op
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.contraction_body import STAGES, ContractionBody
from rammer_ir.lowering.bodies.contraction_columns import StagedColumns
from rammer_ir.lowering.bodies.contraction_rows import StagedRows
from rammer_ir.lowering.bodies.contraction_shape import ContractionShape
from rammer_ir.lowering.bodies.contraction_stages import StagedInput
from rammer_ir.lowering.bodies.kernel_view import KernelView, kernel_views
from rammer_ir.lowering.bodies.tap_table import TapTable
from rammer_ir.lowering.convert_generic_to_block import add_body
from rammer_ir.pass_api import Pass
from rammer_ir.symbols import FreshSymbols
from rammer_ir.tiling.contraction import reads_pieces


@dataclass(frozen=True)
class ConvertContractionToBlock(Pass):
    """
    Gives every contraction kernel a body in block form.

    X is gathered into shared memory by asynchronous copies, a few chunks ahead: 16 bytes at a time where its channels
    are neighbours in memory, element by element elsewhere. Chunks of W come through the ring, pushed by the service
    role. The threads form slices of K; each thread sums 8 x 8 or 7 x 8 results in registers. The partial
    results of the slices are added in shared memory in a fixed order, the element-wise rest of the operator is applied,
    and the tile is written. Where X lies is data: a table of taps, a constant of the kernel, gives the offset and the
    position of every tap.
    """

    name = "convert-contraction-to-block"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        bodies = {body.sym_name.data for body in op.body.block.ops if isinstance(body, BodyOp)}
        names = FreshSymbols(op)
        tables: dict[TapTable, str] = {}
        for view in list(kernel_views(op)):
            if view.contraction is None:
                continue
            shape = _shape(view)
            table = TapTable.of(view, view.contraction, shape.block_k)
            if table not in tables:
                tables[table] = names.new("taps")
                table.insert_before(view.kernel, tables[table])
            builder = BodyBuilder(view.operands([table.element_type]), shape.threads)
            staging = _staging(view, view.contraction, shape)
            body = ContractionBody(view, view.contraction, shape, builder, staging).build()
            add_body(view.kernel, body, builder.parameters, bodies, [tables[table]])


def _shape(view: KernelView) -> ContractionShape:
    """How the threads share the block of a kernel; raises RammerError if they cannot."""
    tiling = view.tiling
    if tiling.kind == "contraction":
        block_m, block_n, block_k = tiling.block
        shape = ContractionShape(block_m, block_n, block_k, tiling.slices, tiling.threads, STAGES)
        if shape.fits:
            return shape
    raise _cannot_share(view)


def _staging(view: KernelView, roles: ContractionAttr, shape: ContractionShape) -> type[StagedInput]:
    """How X is staged; raises RammerError if the threads cannot share the copies."""
    if roles.channels and reads_pieces(view.generics[0], roles.x, roles.k[-1]) and StagedRows.fits(shape):
        return StagedRows
    if StagedColumns.fits(shape):
        return StagedColumns
    raise _cannot_share(view)


def _cannot_share(view: KernelView) -> RammerError:
    return RammerError(
        f"the threads of kernel @{view.kernel.sym_name.data} cannot share its block: {view.tiling}",
        location=describe_op(view.kernel),
    )
