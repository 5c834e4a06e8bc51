"""A launch's kernel argument."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rammer_ir.runtime.cuda.layout import Geometry

_HEAD: Final = np.dtype(
    [
        ("control", np.uint64),
        ("counters", np.uint64),
        ("instructions", np.uint64),
        ("descriptors", np.uint64),
        ("report", np.uint64),
        ("bank_bytes", np.uint64),
        ("timeout", np.uint64),
        ("iteration", np.int32),
        ("launch", np.int32),
        ("launches", np.int32),
        ("padding", np.int32),
    ]
)
"""The beginning of `rammer::Arguments`; the spaces' addresses, the scalars and the streams follow."""


@dataclass(frozen=True)
class FixedArguments:
    """What stays the same from run to run: addresses on the device, and a time limit in nanoseconds."""

    control: int
    counters: int
    instructions: int
    descriptors: int
    report: int
    bank_bytes: int
    timeout: int
    launch: int
    launches: int


class LaunchArguments:
    """The argument of one launch as the driver takes it; it reads the values at each launch."""

    def __init__(self, fixed: FixedArguments, shape: Geometry, streams: Sequence[int]):
        spaces, scalars = shape.spaces, shape.scalars
        size = _HEAD.itemsize + 8 * spaces + 4 * (scalars + shape.veus)
        self.data: Final[NDArray[np.uint8]] = np.zeros(size + size % 8, np.uint8)
        self._head: Final = self.data[: _HEAD.itemsize].view(_HEAD)
        for name, value in vars(fixed).items():
            self._head[name] = value
        end = _HEAD.itemsize + 8 * spaces
        self._spaces: Final = self.data[_HEAD.itemsize : end].view(np.uint64)
        self._scalars: Final = self.data[end : end + 4 * scalars].view(np.int32)
        self.data[end + 4 * scalars :].view(np.int32)[: len(streams)] = streams
        self._pointers: Final = (ctypes.c_void_p * 1)(self.data.ctypes.data)

    @property
    def pointer(self) -> int:
        """Address of the array of pointers that a launch call takes."""
        return ctypes.addressof(self._pointers)

    def bind(self, spaces: Sequence[int], scalars: Sequence[int]) -> None:
        """Set the spaces' addresses and the scalars."""
        self._spaces[:] = spaces
        self._scalars[: len(scalars)] = scalars

    def set_iteration(self, iteration: int) -> None:
        """Set the loop index outside of loops."""
        self._head["iteration"] = iteration
