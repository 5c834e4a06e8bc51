"""What elements of arrays take in memory, and what NumPy calls them."""

from xdsl.dialects.builtin import (
    BFloat16Type,
    Float16Type,
    Float32Type,
    Float64Type,
    IntegerType,
    MemRefType,
    NoneAttr,
    Signedness,
    StridedLayoutAttr,
    TensorType,
)
from xdsl.ir import Attribute

from rammer_ir.dialects.block import MemorySpace
from rammer_ir.errors import CompileError

WORD_BYTES = 8
"""Bytes of an element in memory space "words": value and epoch."""


def element_bytes(element: Attribute) -> int:
    """Bytes of an element in memory; raises CompileError for a type that has no such size."""
    match element:
        case Float16Type() | BFloat16Type():
            return 2
        case Float32Type():
            return 4
        case Float64Type():
            return 8
        case IntegerType() if element.width.data in (1, 8, 16, 32, 64):
            return max(1, element.width.data // 8)
        case _:
            raise CompileError(f"an array cannot have elements of type {element}")


def numpy_name(element: Attribute) -> str:
    """NumPy's name for an element type; raises CompileError where there is none."""
    match element:
        case Float16Type() | Float32Type() | Float64Type():
            return f"float{element.bitwidth}"
        case BFloat16Type():
            return "bfloat16"
        case IntegerType() if element.width.data == 1:
            return "bool"
        case IntegerType() if element.width.data in (8, 16, 32, 64):
            unsigned = element.signedness.data is Signedness.UNSIGNED
            return f"{'u' if unsigned else ''}int{element.width.data}"
        case _:
            raise CompileError(f"no NumPy array has elements of type {element}")


def space_of(memref: MemRefType[Attribute]) -> str | None:
    """The memory space of a memref type as text; None if it names none."""
    space = memref.memory_space
    return None if isinstance(space, NoneAttr) else str(space).strip('"')


def static_shape(array: MemRefType[Attribute] | TensorType[Attribute]) -> tuple[int, ...]:
    """The extents of an array's type; raises CompileError if one is not known."""
    shape = array.get_shape()
    if any(extent < 0 for extent in shape):
        raise CompileError(f"{array} has an extent that is not known")
    return shape


def strides(memref: MemRefType[Attribute]) -> tuple[int, ...]:
    """
    Elements between neighbours along each dimension of an array of the program.

    Raises CompileError for a layout that is neither row-major nor strided by constants, from the first element on.
    """
    layout = memref.layout
    if isinstance(layout, StridedLayoutAttr) and layout.get_offset() == 0:
        given = layout.get_strides()
        known = tuple(stride for stride in given if stride is not None)
        if len(known) == len(given):
            return known
    if not isinstance(layout, NoneAttr):
        raise CompileError(f"{memref} has a layout that is not strided by constants")
    if memref.get_num_dims() == 1:
        return (1,)
    result: list[int] = []
    step = 1
    for extent in reversed(static_shape(memref)):
        result.insert(0, step)
        step *= extent
    return tuple(result)


def array_elements(array: MemRefType[Attribute] | TensorType[Attribute]) -> int:
    """Elements from an array's first to its last, gaps of its layout included; raises CompileError if not known."""
    shape = static_shape(array)
    if 0 in shape:
        return 0
    if isinstance(array, TensorType):
        count = 1
        for extent in shape:
            count *= extent
        return count
    return 1 + sum((extent - 1) * step for extent, step in zip(shape, strides(array), strict=True))


def array_bytes(array: MemRefType[Attribute] | TensorType[Attribute]) -> int:
    """Bytes an array takes; raises CompileError if they are not known."""
    is_words = isinstance(array, MemRefType) and space_of(array) == MemorySpace.WORDS
    return array_elements(array) * (WORD_BYTES if is_words else element_bytes(array.element_type))
