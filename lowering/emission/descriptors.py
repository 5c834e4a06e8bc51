"""The descriptor table: where the operands of a body lie in one use of it, and its parameters."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rammer_ir.errors import CompileError
from rammer_ir.lowering.emission.tables import low_and_high

_GROUP: int = 4
"""Words to whose multiple a descriptor is padded."""


@dataclass(frozen=True)
class Place:
    """`offset` bytes into a space (see `rammer_ir.runtime.program_image`)."""

    space: int
    offset: int


class Descriptors:
    """The table as it grows; a use that is there already is not entered again."""

    def __init__(self) -> None:
        self.provenance: dict[int, str] = {}
        self._words: list[int] = []
        self._known: dict[tuple[tuple[int, ...], str | None], int] = {}

    def add(self, operands: Sequence[Place], parameters: Sequence[int], provenance: str | None) -> int:
        """
        The index of the descriptor with these operands and parameters; `provenance` names the nodes it is of.

        Raises CompileError for a parameter that does not fit 32 bits.
        """
        words = _words(operands, parameters)
        key = (words, provenance)
        if key not in self._known:
            self._known[key] = len(self._words)
            self._words += words
            if provenance is not None:
                self.provenance[self._known[key]] = provenance
        return self._known[key]

    def table(self) -> NDArray[np.int32]:
        """All words, int32 of shape [n]."""
        return np.array(self._words, np.int32)


def _words(operands: Sequence[Place], parameters: Sequence[int]) -> tuple[int, ...]:
    words = [len(operands), len(parameters), 0, 0]
    for operand in operands:
        low, high = low_and_high(np.array([operand.offset], np.int64))
        words += [operand.space, 0, int(low[0]), int(high[0])]
    for parameter in parameters:
        if not -(2**31) <= parameter < 2**31:
            raise CompileError(f"parameter {parameter} does not fit the 32 bits that parameters have")
        words.append(parameter)
    words += [0] * (-len(words) % _GROUP)
    return tuple(words)
