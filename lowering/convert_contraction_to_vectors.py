"""Block-form bodies for contractions that one thread computes: sums in vector registers, rows of X gathered."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.dialects.block import BodyOp
from rammer_ir.dialects.vdevice import DeviceOp
from rammer_ir.errors import RammerError
from rammer_ir.locations import describe_op
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.kernel_view import KernelView, kernel_views
from rammer_ir.lowering.bodies.tap_table import TapTable
from rammer_ir.lowering.bodies.vector_contraction import VectorContraction
from rammer_ir.lowering.bodies.vector_panel import VectorPanel
from rammer_ir.lowering.convert_generic_to_block import add_body
from rammer_ir.pass_api import Pass
from rammer_ir.symbols import FreshSymbols

COLUMNS = 16
"""A block has a multiple of so many columns: the widest vector."""


@dataclass(frozen=True)
class ConvertContractionToVectors(Pass):
    """
    Gives every contraction kernel that is for one thread a body in block form.

    A block of sums lies in scratch memory. For each chunk of K, panels of a few rows of X are gathered into scratch
    memory, zero where a tap is out of range, and multiplied with the chunk of W, which is read where it lies; the
    panel's sums are in vector registers meanwhile. At the end the element-wise rest of the operator is applied and the
    tile is written. How many sums the registers hold is a property of the module's device. Where X lies is data: a
    table of taps, a constant of the kernel, gives the offset and the position of every tap.
    """

    name = "convert-contraction-to-vectors"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        bodies = {body.sym_name.data for body in op.body.block.ops if isinstance(body, BodyOp)}
        registers = max((device.registers for device in op.body.block.ops if isinstance(device, DeviceOp)), default=0)
        names = FreshSymbols(op)
        tables: dict[TapTable, str] = {}
        for view in list(kernel_views(op)):
            if view.contraction is None or view.tiling.threads > 1:
                continue
            _, block_n, block_k = _block(view)
            table = TapTable.of(view, view.contraction, block_k)
            if table not in tables:
                tables[table] = names.new("taps")
                table.insert_before(view.kernel, tables[table])
            builder = BodyBuilder(view.operands([table.element_type]), threads=1)
            body = VectorContraction(view, view.contraction, VectorPanel.of(block_n, registers), builder).build()
            add_body(view.kernel, body, builder.parameters, bodies, [tables[table]])


def _block(view: KernelView) -> tuple[int, int, int]:
    """The block of a kernel; raises RammerError for one that vectors do not fill."""
    tiling = view.tiling
    if tiling.kind == "contraction" and tiling.block[1] % COLUMNS == 0 and tiling.slices == 1:
        block_m, block_n, block_k = tiling.block
        return block_m, block_n, block_k
    raise RammerError(
        f"one thread cannot compute the block of kernel @{view.kernel.sym_name.data} in vectors of {COLUMNS}: {tiling}",
        location=describe_op(view.kernel),
    )
