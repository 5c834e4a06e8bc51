"""Element types: of ONNX, of NumPy, of the IR."""

from typing import Final, TypeAlias, cast

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray
from xdsl.dialects.builtin import (
    BFloat16Type,
    Float16Type,
    Float32Type,
    Float64Type,
    IntegerType,
    Signedness,
    TensorType,
)
from xdsl.ir import Attribute

from rammer_ir.errors import UnsupportedModelError

Array: TypeAlias = NDArray[np.generic]
DType: TypeAlias = np.dtype[np.generic]

_ELEMENT_TYPES: Final[dict[DType, Attribute]] = {
    np.dtype(np.float16): Float16Type(),
    np.dtype(ml_dtypes.bfloat16): BFloat16Type(),
    np.dtype(np.float32): Float32Type(),
    np.dtype(np.float64): Float64Type(),
    np.dtype(np.bool_): IntegerType(1),
    np.dtype(np.int8): IntegerType(8),
    np.dtype(np.int16): IntegerType(16),
    np.dtype(np.int32): IntegerType(32),
    np.dtype(np.int64): IntegerType(64),
    **{np.dtype(f"uint{width}"): IntegerType(width, Signedness.UNSIGNED) for width in (8, 16, 32, 64)},
}
"""
During import, types say all that the model says: unsigned integers have types of their own, by which arithmetic on them
is chosen. `rammer_ir.frontend.storage_types` makes them signless in the end.
"""


def onnx_type_name(element: int) -> str:
    """`FLOAT` for 1, and so on; the number itself if it names no type."""
    try:
        return onnx.TensorProto.DataType.Name(onnx.TensorProto.DataType.ValueType(element))
    except ValueError:
        return str(element)


def dtype_of_onnx(element: int, what: str) -> DType:
    """
    The dtype for a value of `TensorProto.DataType`; `what` names the tensor in the error.

    Raises UnsupportedModelError for strings and for types that take less than a byte or are no types at all.
    """
    name = onnx_type_name(element)
    sub_byte = ("INT4", "UINT4", "INT2", "UINT2", "FLOAT4E2M1", "FLOAT6E2M3", "FLOAT6E3M2")
    if name in ("UNDEFINED", "STRING", *sub_byte) or name == str(element):
        raise UnsupportedModelError(f"{what} has element type {name}, which is not supported")
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element))


def onnx_of_dtype(dtype: DType) -> int:
    """The value of `TensorProto.DataType` for a dtype."""
    return int(onnx.helper.np_dtype_to_tensor_dtype(dtype))


def element_type(dtype: DType, what: str) -> Attribute:
    """
    The IR's element type for a dtype; `what` names the tensor in the error.

    Raises UnsupportedModelError for dtypes that tensors of a program cannot have.
    """
    try:
        return _ELEMENT_TYPES[dtype]
    except KeyError:
        raise UnsupportedModelError(f"{what} has element type {dtype}, which is not supported") from None


def dtype_of_element(element: Attribute) -> DType:
    """The inverse of `element_type`; raises KeyError for other types."""
    return _DTYPES[element]


def is_floating(dtype: DType) -> bool:
    """Whether the dtype is one of the IR's floating-point types (NumPy does not count bfloat16 as one)."""
    return isinstance(_ELEMENT_TYPES.get(dtype), Float16Type | BFloat16Type | Float32Type | Float64Type)


def is_half(element: Attribute) -> bool:
    """Whether it is a floating-point type of 16 bits."""
    return isinstance(element, Float16Type | BFloat16Type)


def integer_type(element: Attribute) -> IntegerType[int, Signedness] | None:
    """The type as that of an integer; None if it is another."""
    return cast("IntegerType[int, Signedness]", element) if isinstance(element, IntegerType) else None


def is_unsigned(element: Attribute) -> bool:
    """Whether arithmetic on elements of the type is that of unsigned integers, booleans included."""
    integer = integer_type(element)
    return integer is not None and (integer.width.data == 1 or integer.signedness.data is Signedness.UNSIGNED)


def integer_width(element: Attribute) -> int:
    """Bits of an integer type; 0 of other types."""
    integer = integer_type(element)
    return 0 if integer is None else integer.width.data


def tensor_type(dtype: DType, shape: tuple[int, ...], what: str) -> TensorType[Attribute]:
    """The IR's type of a tensor; raises as `element_type` does."""
    return TensorType(element_type(dtype, what), shape)


_DTYPES: Final[dict[Attribute, DType]] = {element: dtype for dtype, element in _ELEMENT_TYPES.items()}
