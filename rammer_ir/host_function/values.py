"""What passes between programs and the host: tensors, tensors of strings, sequences, optionals."""

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

HostValue: TypeAlias = "NDArray[Any] | list[HostValue] | None"
"""An array (of Python strings, dtype object, where it holds text), a sequence, or an optional that is empty."""


def is_text(value: HostValue) -> TypeGuard[NDArray[Any]]:
    """Whether the value is a tensor of strings."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "OUS"


def is_tensor(value: HostValue) -> TypeGuard[NDArray[Any]]:
    """Whether the value is a tensor that a program can take: an array of numbers."""
    return isinstance(value, np.ndarray) and not is_text(value)


def text_array(items: Sequence[str], shape: Sequence[int]) -> NDArray[Any]:
    """A tensor of strings with these elements in row-major order."""
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array.reshape(tuple(shape))


def texts_of(array: NDArray[Any]) -> list[str]:
    """The elements of a tensor of strings in row-major order."""
    return [item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item) for item in array.reshape(-1)]
