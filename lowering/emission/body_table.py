"""The bodies that a program uses: each symbol is one body, numbered in the order of first use."""

from collections.abc import Mapping
from typing import Final

from xdsl.ir import Operation

from rammer_ir.errors import CompileError
from rammer_ir.lowering.emission.bodies import DeviceKind, LoweredBody, lower_body
from rammer_ir.lowering.from_block.structure import SERVICE_SUFFIX
from rammer_ir.runtime.program_image import Body


class BodyTable:
    """The table as it grows; `symbols` are the module's."""

    def __init__(self, symbols: Mapping[str, Operation], kind: DeviceKind) -> None:
        self._symbols: Final = symbols
        self._kind: Final[DeviceKind] = kind
        self._numbers: Final[dict[str, int]] = {}
        self._bodies: Final[list[LoweredBody]] = []

    def body(self, symbol: str) -> tuple[int, LoweredBody]:
        """The number and the lowered form of a body; raises CompileError if it has none."""
        if symbol not in self._numbers:
            if symbol not in self._symbols:
                raise CompileError(f"there is no kernel body @{symbol}")
            service = self._symbols.get(symbol + SERVICE_SUFFIX)
            self._bodies.append(lower_body(self._symbols[symbol], service, self._kind))
            self._numbers[symbol] = len(self._bodies) - 1
        number = self._numbers[symbol]
        return number, self._bodies[number]

    def with_steps(self) -> frozenset[int]:
        """The numbers of those that can be called for several steps of a loop at once."""
        return frozenset(number for number, body in enumerate(self._bodies) if body.body.has_steps)

    def bodies(self) -> tuple[Body, ...]:
        """All of them, by number."""
        return tuple(body.body for body in self._bodies)
