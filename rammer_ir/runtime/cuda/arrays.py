"""Arrays on a device: those that callers pass in, by two protocols, and those that a program leaves there."""

import ctypes
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from rammer_ir.dtypes import named_dtype
from rammer_ir.errors import InvalidInputError
from rammer_ir.runtime.cuda.memory import DeviceMemory
from rammer_ir.runtime.program_image import Binding

_DLPACK_CUDA: Final = 2
_DLPACK_CODES: Final = {0: "i", 1: "u", 2: "f", 5: "c", 6: "b"}
_DLPACK_BFLOAT: Final = 4
LEGACY_STREAM: Final = 1
"""The default stream, with which other streams synchronise implicitly."""


@dataclass(frozen=True)
class ForeignArray:
    """
    A dense array of another library on the device; `owner` keeps its memory alive.

    `stream` is what its producer works in: the array may be read in the order of that stream.
    """

    address: int
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    owner: object
    stream: int

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


@dataclass(frozen=True)
class DeviceArray:
    """An array of a program on the device, for libraries that read the CUDA array interface."""

    memory: DeviceMemory
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    @property
    def __cuda_array_interface__(self) -> dict[str, object]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.memory.address, False),
            "strides": None,
            "version": 3,
            "stream": LEGACY_STREAM,
        }


def foreign_array(binding: Binding, value: object) -> ForeignArray | None:
    """
    `value` if it is an array on a CUDA device; None where it is not.

    Raises InvalidInputError if it is not dense and row-major.
    """
    if hasattr(value, "__cuda_array_interface__"):
        return _from_interface(binding, value)
    if hasattr(value, "__dlpack__") and hasattr(value, "__dlpack_device__"):
        owner = cast("Any", value)
        if int(owner.__dlpack_device__()[0]) == _DLPACK_CUDA:
            return _from_dlpack(binding, owner)
    return None


def _from_interface(binding: Binding, value: object) -> ForeignArray:
    interface: dict[str, Any] = cast("Any", value).__cuda_array_interface__
    shape = tuple(int(size) for size in interface["shape"])
    # The protocol has no names for the types of ml_dtypes: they go by what NumPy writes for them.
    is_wanted = interface["typestr"] == binding.element_dtype.str
    dtype: np.dtype[np.generic] = binding.element_dtype if is_wanted else np.dtype(interface["typestr"])
    strides = interface.get("strides")
    if strides is not None:
        _check_dense(binding, shape, tuple(int(stride) for stride in strides), dtype.itemsize)
    stream = interface.get("stream")
    return ForeignArray(
        int(interface["data"][0]), shape, dtype, value, LEGACY_STREAM if stream is None else int(stream)
    )


class _DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


def _from_dlpack(binding: Binding, value: Any) -> ForeignArray:
    """The capsule stays unconsumed: its destructor frees what the producer holds for it."""
    capsule: object = value.__dlpack__(stream=LEGACY_STREAM)
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype = ctypes.c_void_p
    get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    tensor = _DLTensor.from_address(get_pointer(capsule, b"dltensor"))
    shape = tuple(int(tensor.shape[i]) for i in range(tensor.ndim))
    is_bfloat16 = (tensor.code, tensor.bits) == (_DLPACK_BFLOAT, 16)
    if not (is_bfloat16 or tensor.code in _DLPACK_CODES) or tensor.lanes != 1:
        raise InvalidInputError(
            f"input {binding.name!r} has an element type that NumPy lacks, expected {binding.dtype}"
        )
    dtype: np.dtype[np.generic] = named_dtype(
        "bfloat16" if is_bfloat16 else f"{_DLPACK_CODES[tensor.code]}{tensor.bits // 8}"
    )
    if tensor.strides:
        strides = tuple(int(tensor.strides[i]) * dtype.itemsize for i in range(tensor.ndim))
        _check_dense(binding, shape, strides, dtype.itemsize)
    return ForeignArray(int(tensor.data or 0) + int(tensor.byte_offset), shape, dtype, (value, capsule), LEGACY_STREAM)


def _check_dense(binding: Binding, shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> None:
    expected = itemsize
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size > 1 and stride != expected:
            raise InvalidInputError(
                f"input {binding.name!r} is not dense and row-major on the device: pass a contiguous copy"
            )
        expected *= size
