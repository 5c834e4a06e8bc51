"""Block-form bodies for contractions: tiles of X go through shared memory, W through the weight ring."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.dialects.block import BodyOp
from rammer_ir.dialects.rop_attributes import Arithmetic
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.errors import RammerError
from rammer_ir.locations import describe_op
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.contraction_body import STAGES, task_symbols
from rammer_ir.lowering.bodies.contraction_columns import StagedColumns
from rammer_ir.lowering.bodies.contraction_epilogue import ContractionEpilogue
from rammer_ir.lowering.bodies.contraction_row_copies import RowCopies
from rammer_ir.lowering.bodies.contraction_rows import StagedRows
from rammer_ir.lowering.bodies.contraction_shape import ContractionShape, WarpShape
from rammer_ir.lowering.bodies.contraction_warp_rows import StagedWarpRows
from rammer_ir.lowering.bodies.fma_contraction_body import FmaContractionBody
from rammer_ir.lowering.bodies.kernel_view import KernelView, kernel_views
from rammer_ir.lowering.bodies.mma_contraction_body import MmaContractionBody
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
    role. The threads form slices of K; each thread sums 8 x 8 or 7 x 8 results in registers, or each warp a few tiles
    of 16 x 8 by tensor cores where the tiling's arithmetic is theirs. The partial results of the slices are added in
    shared memory in a fixed order, the element-wise rest of the operator is applied, and the tile is written. Where X
    lies is data: a table of taps, a constant of the kernel, gives the offset and the position of every tap.
    """

    name = "convert-contraction-to-block"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        bodies = {body.sym_name.data for body in op.body.block.ops if isinstance(body, BodyOp)}
        names = FreshSymbols(op)
        tables: dict[TapTable, str] = {}
        for view in list(kernel_views(op)):
            if view.contraction is None:
                continue
            if view.tiling.kind != "contraction":
                raise _cannot_share(view)
            table = TapTable.of(view, view.contraction, view.tiling.block[-1])
            if table not in tables:
                tables[table] = names.new("taps")
                table.insert_before(view.kernel, tables[table])
            builder = BodyBuilder(view.operands([table.element_type]), view.tiling.threads)
            body = _body(view, view.contraction, builder).build()
            add_body(view.kernel, body, builder.parameters, bodies, [tables[table]])


def _body(view: KernelView, roles: ContractionAttr, builder: BodyBuilder) -> FmaContractionBody | MmaContractionBody:
    """The writer of a kernel's body; raises RammerError if the threads cannot share its block."""
    tiling = view.tiling
    block_m, block_n, block_k = tiling.block
    block = (block_m, block_n, block_k, tiling.slices, tiling.threads, STAGES)
    has_pieces = roles.channels and reads_pieces(view.generics[0], roles.x, roles.k[-1])
    symbols = task_symbols(builder, view)
    if tiling.arithmetic is not Arithmetic.FP32:
        warps = WarpShape(*block)
        if not (warps.fits and has_pieces and RowCopies.fits(warps)):
            raise _cannot_share(view)
        epilogue = ContractionEpilogue(view, roles, builder, warps, symbols)
        staged = StagedWarpRows(view, roles, warps, builder, symbols, epilogue)
        return MmaContractionBody(view, roles, builder, staged, tiling.arithmetic)
    shape = ContractionShape(*block)
    if not shape.fits:
        raise _cannot_share(view)
    epilogue = ContractionEpilogue(view, roles, builder, shape, symbols)
    if has_pieces and StagedRows.fits(shape):
        return FmaContractionBody(view, roles, builder, StagedRows(view, roles, shape, builder, symbols, epilogue))
    if StagedColumns.fits(shape):
        return FmaContractionBody(view, roles, builder, StagedColumns(view, roles, shape, builder, symbols, epilogue))
    raise _cannot_share(view)


def _cannot_share(view: KernelView) -> RammerError:
    return RammerError(
        f"the threads of kernel @{view.kernel.sym_name.data} cannot share its block: {view.tiling}",
        location=describe_op(view.kernel),
    )
