"""What the launches of a program share and add to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import SSAValue

from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.dialects.vdevice import ProgramOp
from rammer_ir.errors import CompileError
from rammer_ir.lowering.emission.body_table import BodyTable
from rammer_ir.lowering.emission.descriptors import Descriptors
from rammer_ir.lowering.emission.operands import OperandPlaces
from rammer_ir.runtime.program_image import Event

STATIC: Final = -1
"""The scalar of a loop whose number of iterations is known."""


@dataclass(frozen=True)
class ProgramTables:
    """The tables of one program as they grow, and what they are made from."""

    program: ProgramOp
    kernels: Mapping[str, KernelOp]
    bodies: BodyTable
    descriptors: Descriptors
    places: OperandPlaces
    events: list[Event]

    def kernel(self, symbol: str) -> KernelOp:
        """A kernel by its symbol; raises CompileError if there is none."""
        if symbol not in self.kernels:
            raise CompileError(f"there is no kernel @{symbol}")
        return self.kernels[symbol]

    def iterations(self, length: SSAValue) -> tuple[int, int]:
        """
        How often a loop of this length runs: iterations, and the number of the scalar that says so at run time.

        Raises CompileError if the length is neither a constant nor a length of the program.
        """
        lengths = [*self.program.length_arguments]
        if length in lengths:
            return 0, lengths.index(length)
        if isinstance(length.owner, arith.ConstantOp) and isinstance(length.owner.value, IntegerAttr):
            return length.owner.value.value.data, STATIC
        raise CompileError("the length of a loop must be a constant, or a length that the caller gives")
