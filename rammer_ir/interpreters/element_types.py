"""Element types of the IR as NumPy dtypes, and constants as arrays."""

from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import (
    BFloat16Type,
    DenseIntOrFPElementsAttr,
    Float16Type,
    Float32Type,
    Float64Type,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    Signedness,
    TensorType,
)
from xdsl.ir import Attribute

from rammer_ir.errors import RammerError

Array: TypeAlias = npt.NDArray[Any]
DType: TypeAlias = np.dtype[Any]


def dtype_of(element: Attribute) -> DType:
    """
    The dtype whose values an element type has: i1 is bool, index int64, a signless integer a signed one.

    Raises RammerError for a type that NumPy (with ml_dtypes for bf16) has no dtype for.
    """
    if isinstance(element, Float16Type | Float32Type | Float64Type):
        return np.dtype(f"float{element.bitwidth}")
    if isinstance(element, IndexType):
        return np.dtype(np.int64)
    if isinstance(element, IntegerType):
        return _integer_dtype(cast("IntegerType[int, Signedness]", element))
    if isinstance(element, BFloat16Type):
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    raise RammerError(f"the interpreters have no values of type {element}")


def _integer_dtype(integer: IntegerType[int, Signedness]) -> DType:
    width = integer.width.data
    if width == 1:
        return np.dtype(np.bool_)
    if width not in (8, 16, 32, 64):
        raise RammerError(f"the interpreters have no values of type {integer}")
    sign = "u" if integer.signedness.data is Signedness.UNSIGNED else ""
    return np.dtype(f"{sign}int{width}")


def is_float(dtype: DType) -> bool:
    """Whether a dtype is a floating-point one, bf16 included."""
    return dtype.kind not in "biu"


def shape_of(tensor: Attribute) -> tuple[int, ...]:
    """The static shape of a tensor or memref type; raises RammerError if it has dynamic extents."""
    shape = cast("TensorType[Attribute]", tensor).get_shape()
    if any(extent < 0 for extent in shape):
        raise RammerError(f"a tensor of type {tensor} has no static shape")
    return shape


def tensor_dtype(tensor: Attribute) -> DType:
    """The dtype of the elements of a tensor or memref type."""
    return dtype_of(cast("TensorType[Attribute]", tensor).element_type)


def shape_and_dtype(kind: Attribute) -> tuple[tuple[int, ...], DType]:
    """Shape and dtype of a tensor, a memref or (of rank 0) a number; raises RammerError as `shape_of` does."""
    if type(kind) in (TensorType, MemRefType):
        return shape_of(kind), tensor_dtype(kind)
    return (), dtype_of(kind)


def poisoned(shape: tuple[int, ...], dtype: DType) -> Array:
    """An array of contents that must not be read: NaN, or for integers a value that is unlikely elsewhere."""
    if is_float(dtype):
        return np.full(shape, np.nan, dtype)
    return np.full(shape, 0xA5, np.uint8).astype(dtype) if dtype.itemsize == 1 else np.full(shape, -0x5A5B, dtype)


def constant_array(value: Attribute) -> Array:
    """The value of a constant's attribute: an array of rank 0 for a number, else of the tensor's shape."""
    match value:
        case IntegerAttr():
            return np.asarray(value.value.data).astype(dtype_of(value.type))
        case FloatAttr():
            return np.asarray(value.value.data).astype(dtype_of(value.type))
        case DenseIntOrFPElementsAttr():
            tensor = value.get_type()
            values = np.asarray(value.get_values()).astype(dtype_of(value.get_element_type()))
            return values.reshape(shape_of(tensor))
        case _:
            raise RammerError(f"the interpreters have no value for the constant {value}")
