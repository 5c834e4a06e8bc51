"""Instructions of many vEUs as arrays, before they are sorted into streams."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rammer_ir.runtime.program_image import INSTRUCTION_WORDS, Opcode

IntArray: TypeAlias = NDArray[np.int64]

OUTSIDE: Final = 0
"""The scope of what stands outside of loops."""


@dataclass(frozen=True)
class Rows:
    """
    Instructions in text order: `words` of shape [n, 8], and `veus` of shape [n], which vEU executes each.

    `scope` numbers the loop around them: two rows of the same vEU and scope are executed equally often, the earlier
    one first.
    """

    veus: IntArray
    words: IntArray
    scope: int


def instruction_rows(veus: IntArray, opcode: Opcode, operands: Sequence[int | IntArray], scope: int) -> Rows:
    """One instruction for each of the vEUs given; an operand is the same for all, or an array of shape [n]."""
    words = np.zeros((len(veus), INSTRUCTION_WORDS), np.int64)
    words[:, 0] = opcode
    for position, operand in enumerate(operands):
        words[:, 1 + position] = operand
    return Rows(veus, words, scope)


def low_and_high(offset: IntArray) -> tuple[IntArray, IntArray]:
    """Byte offsets as two words each; the low word is signed like any other word."""
    low = (offset & 0xFFFFFFFF).astype(np.uint32).view(np.int32).astype(np.int64)
    return low, offset >> 32
