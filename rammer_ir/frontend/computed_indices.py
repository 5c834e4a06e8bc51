"""
Indices that bodies of generics compute, and reads at them.

All ops are added to the implicit builder's block. Indices are of type index, which has 32 bits on devices.
"""

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType
from xdsl.ir import Attribute, SSAValue

from rammer_ir.dialects.rop import ExtractOp, IndexOp
from rammer_ir.frontend import scalars


def loop_index(dim: int) -> SSAValue:
    """The current index of a loop of the generic."""
    return IndexOp(dim).result


def loop_indices(count: int, start: int = 0) -> list[SSAValue]:
    """The current indices of loops `start` to `start + count - 1`."""
    return [loop_index(start + position) for position in range(count)]


def index_constant(value: int) -> SSAValue:
    return scalars.constant(value, IndexType())


def as_index(value: SSAValue) -> SSAValue:
    """An integer as an index."""
    return arith.IndexCastOp(value, IndexType()).result


def as_integer(index: SSAValue, element: Attribute) -> SSAValue:
    """An index as an integer."""
    return arith.IndexCastOp(index, element).result


def counted_from_end(index: SSAValue, extent: int) -> SSAValue:
    """The index where it is not negative; else it counts from the end of a dimension of `extent` elements."""
    is_negative = scalars.compare("lt", index, index_constant(0))
    return scalars.select(is_negative, scalars.add(index, index_constant(extent)), index)


def model_index(value: SSAValue, extent: int) -> SSAValue:
    """An integer of the model that counts elements of a dimension, from the end where negative, as an index."""
    return counted_from_end(as_index(value), extent)


def extract(tensor: SSAValue, indices: Sequence[SSAValue]) -> SSAValue:
    """The element of a tensor at an index; where it is out of range, the nearest one."""
    return ExtractOp(tensor, indices).result


def is_within(index: SSAValue, extent: int) -> SSAValue:
    """Whether an index is one of a dimension of `extent` elements."""
    return arith.CmpiOp(index, index_constant(extent), "ult").result


def quotient(index: SSAValue, divisor: int) -> SSAValue:
    """The quotient of an index that is not negative."""
    return arith.DivUIOp(index, index_constant(divisor)).result


def remainder(index: SSAValue, divisor: int) -> SSAValue:
    """The remainder of an index that is not negative."""
    return arith.RemUIOp(index, index_constant(divisor)).result


def delinearized_index(position: SSAValue, extents: Sequence[int]) -> list[SSAValue]:
    """The index at a row-major position that is not negative; the first part is not reduced by its extent."""
    indices: list[SSAValue] = []
    for extent in reversed(extents[1:]):
        indices.append(remainder(position, extent))
        position = quotient(position, extent)
    return [position, *reversed(indices)] if extents else []


def linearized_index(indices: Sequence[SSAValue], extents: Sequence[int]) -> SSAValue:
    """The row-major position of an index."""
    position = index_constant(0)
    for index, extent in zip(indices, extents, strict=True):
        position = scalars.add(scalars.multiply(position, index_constant(extent)), index)
    return position
