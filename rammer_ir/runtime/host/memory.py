"""Arrays in host memory, aligned for vector loads."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

BytesLike = bytes | NDArray[np.uint8]

CACHE_LINE: Final = 64
"""Bytes to which arrays are aligned."""


def aligned_array(
    shape: tuple[int, ...], dtype: np.dtype[np.generic], *, fill: int | None = None
) -> NDArray[np.generic]:
    """A dense array whose first byte is aligned; each byte is `fill`, or whatever was there."""
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    memory = np.empty(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    data = memory[start : start + size]
    if fill is not None:
        data.fill(fill)
    return data.view(dtype).reshape(shape)


def as_bytes(buffer: BytesLike) -> NDArray[np.uint8]:
    """The bytes of `buffer`, aligned; copied only if they were not."""
    data = np.frombuffer(buffer, np.uint8) if isinstance(buffer, bytes) else np.ascontiguousarray(buffer, np.uint8)
    if data.ctypes.data % CACHE_LINE == 0:
        return data
    copied = aligned_array(data.shape, data.dtype).view(np.uint8)
    copied[...] = data
    return copied
