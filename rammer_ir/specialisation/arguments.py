"""What a caller passes to a model whose shapes vary, checked against what the model declares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, cast

import numpy as np
import onnx
from numpy.typing import NDArray

from rammer_ir.errors import InvalidInputError
from rammer_ir.frontend.element_types import DType, dtype_of_onnx
from rammer_ir.frontend.limits import checked_bytes
from rammer_ir.frontend.names import quoted
from rammer_ir.host_function.values import HostValue, is_text, text_array, texts_of
from rammer_ir.runtime.bindings import read_dlpack
from rammer_ir.runtime.program_image import Binding

VARYING: Final = -1
"""The extent of a dimension, in a binding, that may be any."""

_TEXT: Final = "object"


@dataclass(frozen=True)
class Parameter:
    """
    An input as the model declares it.

    A tensor has a dtype (None for strings) and, where they are known, extents: a number, or the name that dimensions
    of the same extent share. Sequences and optionals have `is_sequence` and `is_optional`, and the type of the tensors
    in them.
    """

    name: str
    dtype: DType | None
    extents: tuple[int | str, ...] | None
    is_sequence: bool = False
    is_optional: bool = False

    @staticmethod
    def of(info: onnx.ValueInfoProto) -> "Parameter":
        """The parameter; raises UnsupportedModelError for element types that NumPy does not have, and for maps."""
        kind, is_optional, is_sequence = info.type, False, False
        if kind.HasField("optional_type"):
            kind, is_optional = kind.optional_type.elem_type, True
        if kind.HasField("sequence_type"):
            kind, is_sequence = kind.sequence_type.elem_type, True
        tensor = kind.tensor_type
        is_text_type = tensor.elem_type == onnx.TensorProto.STRING
        dtype = None if is_text_type else dtype_of_onnx(tensor.elem_type, f"input {quoted(info.name)}")
        extents = tuple(_extent(dim) for dim in tensor.shape.dim) if tensor.HasField("shape") else None
        return Parameter(info.name, dtype, extents, is_sequence, is_optional)

    @property
    def binding(self) -> Binding:
        """The parameter for people and tools: extents that vary are -1."""
        shape = tuple(extent if isinstance(extent, int) else VARYING for extent in self.extents or ())
        return Binding(self.name, shape, _TEXT if self.dtype is None else self.dtype.name)


def _extent(dim: onnx.TensorShapeProto.Dimension) -> int | str:
    return dim.dim_value if dim.HasField("dim_value") else dim.dim_param


def checked_arguments(
    parameters: Sequence[Parameter], inputs: Mapping[str, object], where: str
) -> dict[str, HostValue]:
    """The inputs by name as arrays, lists and None; raises InvalidInputError where they do not fit."""
    names = [parameter.name for parameter in parameters]
    for name in sorted(set(inputs).difference(names)):
        close = get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"the inputs are {', '.join(map(repr, names)) or 'none'}"
        raise InvalidInputError(f"there is no input {name!r}: {hint}", location=where)
    extents: dict[str, int] = {}
    values: dict[str, HostValue] = {}
    for parameter in parameters:
        if parameter.name not in inputs and not parameter.is_optional:
            raise InvalidInputError(f"input {parameter.name!r} is missing", location=where)
        values[parameter.name] = _checked(parameter, inputs.get(parameter.name), extents)
    return values


def _checked(parameter: Parameter, value: object, extents: dict[str, int]) -> HostValue:
    if value is None and parameter.is_optional:
        return None
    if not parameter.is_sequence:
        return _tensor(parameter, value, extents)
    if not isinstance(value, list | tuple):
        raise InvalidInputError(f"input {parameter.name!r} is a sequence: pass a list of arrays")
    # The tensors of a sequence may have different shapes.
    return [_tensor(parameter, item, {}) for item in cast("Sequence[object]", value)]


def _tensor(parameter: Parameter, value: object, extents: dict[str, int]) -> HostValue:
    array = _as_array(parameter, value)
    if parameter.dtype is None:
        if not is_text(array):
            raise InvalidInputError(f"input {parameter.name!r} has dtype {array.dtype}, expected strings")
        array = text_array(texts_of(array), array.shape)
    elif array.dtype != parameter.dtype:
        raise InvalidInputError(
            f"input {parameter.name!r} has dtype {array.dtype}, expected {parameter.dtype.name}: "
            f"convert it with .astype({parameter.dtype.name!r})"
        )
    _check_shape(parameter, array.shape, extents)
    checked_bytes(array.shape, array.dtype.itemsize, f"input {parameter.name!r}")
    return array


def _as_array(parameter: Parameter, value: object) -> NDArray[Any]:
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(cast("NDArray[Any]", value))
    if parameter.dtype is None and isinstance(value, str | list | tuple):
        return np.asarray(value, dtype=object)
    if hasattr(value, "__dlpack__") and hasattr(value, "__dlpack_device__"):
        return read_dlpack(parameter.name, value)
    raise InvalidInputError(f"input {parameter.name!r} is of type {type(value).__name__}: pass a NumPy array")


def _check_shape(parameter: Parameter, shape: tuple[int, ...], extents: dict[str, int]) -> None:
    declared = parameter.extents
    if declared is None:
        return
    fits = len(declared) == len(shape)
    for extent, actual in zip(declared, shape, strict=False):
        wanted = extents.setdefault(extent, actual) if isinstance(extent, str) and extent else extent
        fits = fits and wanted in ("", actual)
    if not fits:
        known = [extents.get(item, item) if isinstance(item, str) else item for item in declared]
        expected = ", ".join("?" if item == "" else str(item) for item in known)
        raise InvalidInputError(f"input {parameter.name!r} has shape {list(shape)}, expected [{expected}]")
