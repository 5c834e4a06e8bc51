"""X staged as [m, k], read by the lanes of warps for tensor cores."""

from typing import ClassVar

from rammer_ir.lowering.bodies.contraction_row_copies import RowCopies
from rammer_ir.lowering.bodies.contraction_shape import WarpShape


class StagedWarpRows(RowCopies[WarpShape]):
    """Two neighbouring rows lie in different halves of the banks: a quarter of a warp reads 64 bytes of each."""

    padding: ClassVar[int] = 16
