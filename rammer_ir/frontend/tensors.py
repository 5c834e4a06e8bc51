"""Constant tensors of a model as arrays, checked: sizes against limits, external data against the model's folder."""

from math import prod
from pathlib import Path

import numpy as np
import onnx

from rammer_ir.errors import InvalidInputError, UnsupportedModelError
from rammer_ir.frontend.element_types import Array, DType, dtype_of_onnx, packed_bits
from rammer_ir.frontend.limits import ConstantBudget, checked_bytes
from rammer_ir.frontend.names import quoted


class TensorLoader:
    """
    Turns `TensorProto`s into arrays, without a copy where the bytes are there to be used: raw data and external files.

    `folder` is where external data may lie; None forbids it (a model without a file).
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else folder.resolve()
        self._budget = ConstantBudget()

    def load(self, tensor: onnx.TensorProto, name: str) -> Array:
        """
        The array of a tensor; read-only where it shares bytes.

        Raises InvalidInputError where the data does not fit type and shape or external data is missing or outside of
        the folder, UnsupportedModelError for types and sizes that are not supported.
        """
        what = f"constant {quoted(name)}"
        dtype = dtype_of_onnx(tensor.data_type, what)
        shape = tuple(tensor.dims)
        size = checked_bytes(shape, dtype.itemsize, what)
        self.reserve(size, what)
        if packed_bits(tensor.data_type):
            return self._load_packed(tensor, what, dtype, shape)
        if tensor.HasField("segment"):
            raise UnsupportedModelError(f"{what} is stored in segments, which is not supported")
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            return self._load_external(tensor, what, dtype, shape)
        if tensor.HasField("raw_data"):
            return _from_raw(tensor.raw_data, what, dtype, shape)
        return _from_fields(tensor, what, dtype, shape)

    def reserve(self, size: int, what: str) -> None:
        """Account for a constant of `size` bytes that is about to be made."""
        self._budget.take(size, what)

    def _load_packed(self, tensor: onnx.TensorProto, what: str, dtype: DType, shape: tuple[int, ...]) -> Array:
        """Of elements of less than a byte, several are in one."""
        packed_shape = (-(-prod(shape) * packed_bits(tensor.data_type) // 8),)
        packed = onnx.TensorProto(data_type=tensor.data_type, dims=tensor.dims)
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            packed.raw_data = self._load_external(tensor, what, np.dtype(np.uint8), packed_shape).tobytes()
        elif tensor.HasField("raw_data"):
            packed.raw_data = _from_raw(tensor.raw_data, what, np.dtype(np.uint8), packed_shape).tobytes()
        else:
            packed.int32_data.extend(tensor.int32_data)
        return _from_fields(packed, what, dtype, shape)

    def _load_external(self, tensor: onnx.TensorProto, what: str, dtype: DType, shape: tuple[int, ...]) -> Array:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        path = self._external_path(entries.get("location", ""), what)
        offset = _non_negative(entries.get("offset", "0"), f"offset of {what}")
        size = prod(shape) * dtype.itemsize
        if "length" in entries and _non_negative(entries["length"], f"length of {what}") != size:
            raise InvalidInputError(f"{what} needs {size} bytes, but its external data has {entries['length']}")
        available = path.stat().st_size - offset
        if size > available:
            raise InvalidInputError(f"{what} needs {size} bytes at offset {offset}, but {path.name} has {available}")
        if size == 0:
            return np.empty(shape, dtype)
        return np.memmap(path, dtype, mode="r", offset=offset, shape=shape)

    def _external_path(self, location: str, what: str) -> Path:
        if self._folder is None:
            raise InvalidInputError(f"{what} is in an external file: give the model's path, or load its external data")
        try:
            path = (self._folder / location).resolve()
        except (ValueError, OSError) as error:
            raise InvalidInputError(f"{what} has an unusable external location {quoted(location)}") from error
        if not location or not path.is_relative_to(self._folder):
            raise InvalidInputError(f"{what} has external data outside of the model's folder: {quoted(location)}")
        if not path.is_file():
            raise InvalidInputError(f"{what} needs the external file {quoted(location)}, which does not exist")
        return path


def _non_negative(text: str, what: str) -> int:
    if not text.isdecimal() or len(text) > 20:
        raise InvalidInputError(f"the {what} must be a non-negative integer, not {quoted(text)}")
    return int(text)


def _from_raw(data: bytes, what: str, dtype: DType, shape: tuple[int, ...]) -> Array:
    size = prod(shape) * dtype.itemsize
    if len(data) != size:
        raise InvalidInputError(f"{what} needs {size} bytes for its shape {list(shape)}, but has {len(data)}")
    return np.frombuffer(data, dtype.newbyteorder("<")).reshape(shape).astype(dtype, copy=False)


def _from_fields(tensor: onnx.TensorProto, what: str, dtype: DType, shape: tuple[int, ...]) -> Array:
    try:
        array = onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInputError(f"{what} has data that does not fit its shape {list(shape)} and type") from error
    return array.astype(dtype, copy=False)
