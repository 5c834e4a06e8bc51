"""Whether the descriptors of a program image lie in their table, and operands in their spaces."""

from math import prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rammer_ir.errors import VerificationError
from rammer_ir.runtime.program_image import Opcode, ProgramImage

_HEAD: Final = 4
_OPERAND_WORDS: Final = 4
_LARGEST: Final = 2**62


def check_descriptors(image: ProgramImage) -> None:
    """Raise VerificationError if a descriptor in use ends outside of the table, or an operand begins outside memory."""
    table = image.instructions
    used = np.unique(table[table[:, 0] == Opcode.RUN, 2]).astype(np.int64)
    words = image.descriptors.astype(np.int64)
    if words.ndim != 1 or np.any(used + _HEAD > len(words)):
        raise VerificationError("a descriptor ends outside of the table", location=image.name)
    counts = words[used[:, None] + np.arange(2)]
    ends = used + _HEAD + _OPERAND_WORDS * counts[:, 0] + counts[:, 1]
    if np.any(counts < 0) or np.any(ends > len(words)):
        raise VerificationError("a descriptor ends outside of the table", location=image.name)
    _check_operands(image, words, used, counts[:, 0])
    if any(not 0 <= place < len(words) for place in image.provenance):
        raise VerificationError("there are nodes for descriptors that do not exist", location=image.name)


def _check_operands(
    image: ProgramImage, words: NDArray[np.int64], used: NDArray[np.int64], counts: NDArray[np.int64]
) -> None:
    """Operands of the descriptors at `used`, `counts` each."""
    owners = np.repeat(used, counts)
    numbers = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    operands = words[(owners + _HEAD + _OPERAND_WORDS * numbers)[:, None] + np.arange(_OPERAND_WORDS)]
    sizes = space_sizes(image)
    spaces = operands[:, 0]
    known = (spaces >= 0) & (spaces < len(sizes))
    offsets = (operands[:, 3] << 32) + (operands[:, 2] & 0xFFFFFFFF)
    inside = known & (offsets >= 0) & (offsets <= sizes[np.where(known, spaces, 0)])
    wrong = np.flatnonzero(~inside)
    if wrong.size:
        place = int(owners[wrong[0]])
        raise VerificationError(
            f"operand {int(numbers[wrong[0]])} of the descriptor at {place} begins outside of its memory"
            f" (space {int(spaces[wrong[0]])}, offset {int(offsets[wrong[0]])})",
            location=image.name,
        )


def space_sizes(image: ProgramImage) -> NDArray[np.int64]:
    """
    Bytes of each space, in the order of their numbers; of pinned memory, what the largest launch has.

    Raises VerificationError if an input or an output is larger than any memory.
    """
    pinned = max((launch.pinned_bytes for launch in image.launches), default=0)
    bindings = (*image.inputs, *image.outputs)
    bound = [prod(binding.shape) * binding.element_dtype.itemsize for binding in bindings]
    if max(bound, default=0) > _LARGEST:
        raise VerificationError("an input or an output is larger than any memory", location=image.name)
    return np.array([image.arena_bytes, image.weight_bytes, pinned, *bound], np.int64)
