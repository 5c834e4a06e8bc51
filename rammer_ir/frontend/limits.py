"""Sizes from a model are checked before anything is allocated for them."""

from collections.abc import Sequence
from math import prod
from typing import Final

from rammer_ir.errors import InvalidInputError, UnsupportedModelError

MOST_TENSOR_BYTES: Final = 1 << 34
"""No tensor may take more: 16 GiB."""

MOST_CONSTANT_BYTES: Final = 1 << 36
"""All constants of a model together may not take more: 64 GiB."""

MOST_MODEL_FILE_BYTES: Final = (1 << 31) - 1
"""Protocol buffers end here; larger models keep their weights in external data."""

MOST_DIMENSIONS: Final = 32


def checked_bytes(shape: Sequence[int], itemsize: int, what: str) -> int:
    """
    The bytes that a tensor takes; `what` names it in errors.

    Raises InvalidInputError for negative extents, UnsupportedModelError for more bytes or dimensions than the limits.
    """
    if len(shape) > MOST_DIMENSIONS:
        raise UnsupportedModelError(f"{what} has {len(shape)} dimensions; the limit is {MOST_DIMENSIONS}")
    if any(extent < 0 for extent in shape):
        raise InvalidInputError(f"{what} has a negative extent: {list(shape)}")
    size = prod(shape) * itemsize
    if size > MOST_TENSOR_BYTES:
        raise UnsupportedModelError(f"{what} takes {size} bytes; the limit is {MOST_TENSOR_BYTES}")
    return size


class ConstantBudget:
    """Counts the bytes of a model's constants against `MOST_CONSTANT_BYTES`."""

    def __init__(self) -> None:
        self._used = 0

    def take(self, size: int, what: str) -> None:
        """Account for a constant; raises UnsupportedModelError when the limit is passed."""
        self._used += size
        if self._used > MOST_CONSTANT_BYTES:
            raise UnsupportedModelError(
                f"the model's constants take more than {MOST_CONSTANT_BYTES} bytes (reached at {what})"
            )
