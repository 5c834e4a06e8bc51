"""Where each weight lies in the weight arena: in the order of first use."""

from collections.abc import Mapping

from xdsl.dialects.builtin import MemRefType, TensorType
from xdsl.ir import Attribute

from rammer_ir.dialects.rop import WeightOp
from rammer_ir.errors import CompileError
from rammer_ir.lowering.element_types import array_bytes
from rammer_ir.runtime.program_image import ALIGNMENT


class WeightArena:
    """The arena as it grows. Weights that a program never uses are not in it."""

    def __init__(self, weights: Mapping[str, WeightOp]) -> None:
        self._weights = weights
        self._offsets: dict[str, int] = {}
        self.bytes = 0

    def offset(self, symbol: str, used_as: MemRefType[Attribute] | None = None) -> int:
        """
        Bytes from the arena's start to a weight, which takes its place at its first use.

        Raises CompileError if there is no such weight, or if its type is not that of the memory it is `used_as`.
        """
        tensor = self.tensor(symbol)
        if used_as is not None and _differs(tensor, used_as):
            raise CompileError(f"weight @{symbol} is {tensor}, it cannot be used as {used_as}")
        if symbol not in self._offsets:
            self._offsets[symbol] = self.bytes
            self.bytes += -(-array_bytes(tensor) // ALIGNMENT) * ALIGNMENT
        return self._offsets[symbol]

    def tensor(self, symbol: str) -> TensorType[Attribute]:
        """The type of a weight; raises CompileError if there is none of that name."""
        if symbol not in self._weights:
            raise CompileError(f"there is no weight @{symbol}")
        return self._weights[symbol].type

    def places(self) -> tuple[tuple[str, int], ...]:
        """Symbols and offsets, in order."""
        return tuple(self._offsets.items())


def _differs(tensor: TensorType[Attribute], memref: MemRefType[Attribute]) -> bool:
    return tensor.get_shape() != memref.get_shape() or tensor.element_type != memref.element_type
