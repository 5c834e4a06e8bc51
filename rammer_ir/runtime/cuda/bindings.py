"""A program's inputs and outputs in device memory."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rammer_ir.runtime.bindings import check_form, check_names, host_array, scalar_values, visible_shape
from rammer_ir.runtime.cuda.arrays import LEGACY_STREAM, DeviceArray, ForeignArray, foreign_array
from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.memory import DeviceMemory
from rammer_ir.runtime.program_image import ALIGNMENT, Binding, ProgramImage


class DeviceBindings:
    """
    The inputs and outputs of one program.

    Arrays in host memory are copied to buffers of its own. Dense arrays on the device are used in place where they have
    the declared size and are aligned, and are copied otherwise. Buffers are made when they are first needed.
    """

    def __init__(self, device: Device, image: ProgramImage):
        self._device: Final = device
        self._image: Final = image
        self._buffers: Final[dict[str, DeviceMemory]] = {}
        self._outputs: Final = [DeviceMemory(device, declared_bytes(binding)) for binding in image.outputs]
        self._owners: list[object] = []

    def bind(self, inputs: Mapping[str, object], stream: Any) -> tuple[list[int], tuple[int, ...]]:
        """
        Addresses of the inputs and the outputs, in order, and the scalars; copies are enqueued in `stream`.

        Raises InvalidInputError. The device's context must be current.
        """
        check_names(self._image, inputs)
        arrays = [_checked(binding, inputs[binding.name]) for binding in self._image.inputs]
        named = zip(self._image.inputs, arrays, strict=True)
        scalars = scalar_values(self._image, {binding.name: array.shape for binding, array in named}, inputs)
        self._owners = list(arrays)
        pairs = zip(self._image.inputs, arrays, strict=True)
        addresses = [self._address(binding, array, stream) for binding, array in pairs]
        return addresses + [output.address for output in self._outputs], scalars

    def fill_outputs(self, byte: int, stream: Any) -> None:
        for output in self._outputs:
            output.fill(byte, stream)

    def read_outputs(self, scalars: tuple[int, ...], stream: Any) -> dict[str, NDArray[Any]]:
        """The outputs in host memory, once `stream` has come so far."""
        results = {name: np.empty(array.shape, array.dtype) for name, array in self.device_outputs(scalars).items()}
        for memory, result in zip(self._outputs, results.values(), strict=True):
            memory.read(result, stream)
        self._device.driver.cuStreamSynchronize(stream)
        return results

    def device_outputs(self, scalars: tuple[int, ...]) -> dict[str, DeviceArray]:
        """The outputs where they are; the next run overwrites them."""
        lengths = dict(zip(self._image.scalars, scalars, strict=True))
        pairs = zip(self._image.outputs, self._outputs, strict=True)
        return {
            binding.name: DeviceArray(memory, visible_shape(binding, lengths), binding.element_dtype)
            for binding, memory in pairs
        }

    def close(self) -> None:
        for memory in (*self._buffers.values(), *self._outputs):
            memory.close()
        self._owners.clear()

    def _address(self, binding: Binding, array: NDArray[np.generic] | ForeignArray, stream: Any) -> int:
        if not isinstance(array, ForeignArray):
            buffer = self._buffer(binding)
            buffer.write(array, stream)
            return buffer.address
        if array.stream != LEGACY_STREAM:
            self._device.driver.cuStreamSynchronize(array.stream)
        if array.shape == binding.shape and array.address % ALIGNMENT == 0:
            return array.address
        buffer = self._buffer(binding)
        buffer.copy_from(array.address, array.nbytes, stream)
        return buffer.address

    def _buffer(self, binding: Binding) -> DeviceMemory:
        buffer = self._buffers.get(binding.name)
        if buffer is None:
            buffer = self._buffers[binding.name] = DeviceMemory(self._device, declared_bytes(binding))
        return buffer


def declared_bytes(binding: Binding) -> int:
    """Bytes of a binding of its declared, largest shape."""
    return int(np.prod(binding.shape, dtype=np.int64)) * binding.element_dtype.itemsize


def _checked(binding: Binding, value: object) -> NDArray[np.generic] | ForeignArray:
    foreign = foreign_array(binding, value)
    if foreign is None:
        return host_array(binding, value)
    check_form(binding, foreign.shape, foreign.dtype)
    return foreign
