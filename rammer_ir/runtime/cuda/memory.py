"""Device memory, and host memory that the device can write."""

import ctypes
import weakref
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rammer_ir.runtime.cuda.driver import Device


class DeviceMemory:
    """`size` bytes on a device, zero at first; freed when it is closed or no longer used."""

    def __init__(self, device: Device, size: int):
        self.size: Final = max(size, 16)
        self._device: Final = device
        with device.current():
            pointer = device.driver.cuMemAlloc(self.size)
            self._finalizer: Final = weakref.finalize(self, _free, device, pointer)
            self.address: Final = int(pointer)
            self.fill(0)

    def fill(self, byte: int, stream: Any = 0) -> None:
        """Set all bytes, in the order of `stream`; the device's context must be current."""
        self._device.driver.cuMemsetD8Async(self.address, byte, self.size, stream)

    def write(self, data: NDArray[np.generic], stream: Any = 0) -> None:
        """Copy dense `data` to the beginning and set the rest to zero, in the order of `stream`."""
        if data.nbytes:
            self._device.driver.cuMemcpyHtoDAsync(self.address, data.ctypes.data, data.nbytes, stream)
        if data.nbytes < self.size:
            rest = self.size - data.nbytes
            self._device.driver.cuMemsetD8Async(self.address + data.nbytes, 0, rest, stream)

    def copy_from(self, address: int, size: int, stream: Any) -> None:
        """The same from device memory at `address`."""
        self._device.driver.cuMemcpyDtoDAsync(self.address, address, size, stream)
        if size < self.size:
            self._device.driver.cuMemsetD8Async(self.address + size, 0, self.size - size, stream)

    def read(self, data: NDArray[np.generic], stream: Any) -> None:
        """Copy the beginning into dense `data`, in the order of `stream`."""
        if data.nbytes:
            self._device.driver.cuMemcpyDtoHAsync(data.ctypes.data, self.address, data.nbytes, stream)

    def close(self) -> None:
        self._finalizer()


class MappedMemory:
    """A C structure in host memory that the device sees too, at `address`; zero at first."""

    def __init__(self, device: Device, structure: type[ctypes.Structure]):
        flags = device.driver.module.CU_MEMHOSTALLOC_DEVICEMAP
        with device.current():
            pointer: int = device.driver.cuMemHostAlloc(ctypes.sizeof(structure), flags)
            self.address: Final = int(device.driver.cuMemHostGetDevicePointer(pointer, 0))
        self._finalizer: Final = weakref.finalize(self, _free_host, device, pointer)
        self._pointer: Final = pointer
        self._size: Final = ctypes.sizeof(structure)
        self.clear()

    def read(self) -> bytes:
        return ctypes.string_at(self._pointer, self._size)

    def clear(self) -> None:
        ctypes.memset(self._pointer, 0, self._size)

    def close(self) -> None:
        self._finalizer()


def _free(device: Device, pointer: Any) -> None:
    with device.current():
        device.driver.cuMemFree(pointer)


def _free_host(device: Device, pointer: int) -> None:
    with device.current():
        device.driver.cuMemFreeHost(pointer)
