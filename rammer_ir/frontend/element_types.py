"""Element types: of ONNX, of NumPy, of the IR."""

from typing import Final, TypeAlias, cast

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray
from xdsl.dialects.builtin import (
    BFloat16Type,
    Float4E2M1FNType,
    Float8E4M3FNType,
    Float8E4M3FNUZType,
    Float8E5M2FNUZType,
    Float8E5M2Type,
    Float8E8M0FNUType,
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
    np.dtype(ml_dtypes.int4): IntegerType(4, Signedness.SIGNED),
    np.dtype(ml_dtypes.uint4): IntegerType(4, Signedness.UNSIGNED),
    np.dtype(ml_dtypes.int2): IntegerType(2, Signedness.SIGNED),
    np.dtype(ml_dtypes.uint2): IntegerType(2, Signedness.UNSIGNED),
    np.dtype(ml_dtypes.float8_e4m3fn): Float8E4M3FNType(),
    np.dtype(ml_dtypes.float8_e4m3fnuz): Float8E4M3FNUZType(),
    np.dtype(ml_dtypes.float8_e5m2): Float8E5M2Type(),
    np.dtype(ml_dtypes.float8_e5m2fnuz): Float8E5M2FNUZType(),
    np.dtype(ml_dtypes.float8_e8m0fnu): Float8E8M0FNUType(),
    np.dtype(ml_dtypes.float4_e2m1fn): Float4E2M1FNType(),
}
"""
During import, types say all that the model says: unsigned integers have types of their own, by which arithmetic on them
is chosen, and numbers of less than a byte too. `rammer_ir.frontend.storage_types` makes signless integers of them.
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

    Raises UnsupportedModelError for strings, for float6 and for what is no type at all.
    """
    name = onnx_type_name(element)
    if name in ("UNDEFINED", "STRING", "FLOAT6E2M3", "FLOAT6E3M2") or name == str(element):
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


def packed_bits(element: int) -> int:
    """Bits of an element in the data of a `TensorProto` of this type; 0 where it takes whole bytes."""
    return _PACKED_BITS.get(onnx_type_name(element), 0)


def is_floating(dtype: DType) -> bool:
    """Whether there is floating-point arithmetic on the dtype (NumPy does not count bfloat16 as such a one)."""
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


def integer_range(element: Attribute) -> tuple[int, int]:
    """The least and the greatest number of an integer type."""
    width = integer_width(element)
    return (0, (1 << width) - 1) if is_unsigned(element) else (-(1 << width - 1), (1 << width - 1) - 1)


def tensor_type(dtype: DType, shape: tuple[int, ...], what: str) -> TensorType[Attribute]:
    """The IR's type of a tensor; raises as `element_type` does."""
    return TensorType(element_type(dtype, what), shape)


_PACKED_BITS: Final = {"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2}

_DTYPES: Final[dict[Attribute, DType]] = {element: dtype for dtype, element in _ELEMENT_TYPES.items()}
