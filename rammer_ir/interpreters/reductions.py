"""Reductions by the combiners of `rop`: sums and products of floats in float64, of integers in 64 bits, wrapping."""

from collections.abc import Callable, Collection, Mapping
from math import prod
from typing import Any

import numpy as np

from rammer_ir.dialects import rop
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.element_types import Array, DType, is_float
from rammer_ir.interpreters.scalar_ops import on_unsigned_bits, unsigned


def accumulator_dtype(dtype: DType, combiner: rop.Combiner) -> DType:
    """The dtype that a reduction of elements of `dtype` is carried out in."""
    if combiner not in (rop.Combiner.ADD, rop.Combiner.MULTIPLY):
        return dtype
    if is_float(dtype):
        return np.dtype(np.float64)
    return np.dtype(np.uint64 if dtype.kind == "u" else np.int64)


def narrowed(values: Array, dtype: DType) -> Array:
    """Accumulated values in the element type: rounded, or wrapped."""
    return (values & 1).astype(np.bool_) if dtype == np.bool_ else values.astype(dtype)


COMBINE: Mapping[rop.Combiner, Callable[[Array, Array], Array]] = {
    rop.Combiner.ADD: np.add,
    rop.Combiner.MULTIPLY: np.multiply,
    rop.Combiner.MAXIMUM: np.maximum,
    rop.Combiner.MINIMUM: np.minimum,
    rop.Combiner.UNSIGNED_MAXIMUM: on_unsigned_bits(np.maximum),
    rop.Combiner.UNSIGNED_MINIMUM: on_unsigned_bits(np.minimum),
}
"""What each combiner does with two arrays, in the dtype that they have."""


def neutral(combiner: rop.Combiner, dtype: DType) -> Any:
    """The value that a combiner starts from; 0 where nothing is combined."""
    if combiner in (rop.Combiner.ADD, rop.Combiner.NONE, rop.Combiner.UNSIGNED_MAXIMUM):
        return 0
    if combiner is rop.Combiner.MULTIPLY:
        return 1
    if combiner is rop.Combiner.UNSIGNED_MINIMUM:
        return dtype == np.bool_ or -1  # All bits are set.
    lowest = combiner is rop.Combiner.MAXIMUM
    if dtype == np.bool_:
        return not lowest
    if is_float(dtype):
        return -np.inf if lowest else np.inf
    return np.iinfo(dtype).min if lowest else np.iinfo(dtype).max


def reduce_axes(
    values: Array,
    extents: tuple[int, ...],
    reduced: Collection[int],
    combiner: rop.Combiner,
    where: Array | None = None,
) -> Array:
    """
    The reduction over some axes, which are 1 in the result; only over elements where `where` is true, if given.

    An axis of 1 in `values` stands for as many equal values as its extent.
    """
    wide = values.astype(accumulator_dtype(values.dtype, combiner), copy=False)
    if where is not None:
        wide = np.where(where, wide, np.asarray(neutral(combiner, wide.dtype), wide.dtype))
    axes = tuple(axis for axis in reduced if wide.shape[axis] > 1)
    repeats = prod(extents[axis] for axis in reduced if wide.shape[axis] == 1)
    match combiner:
        case rop.Combiner.ADD:
            return wide.sum(axis=axes, keepdims=True) * repeats
        case rop.Combiner.MULTIPLY:
            return wide.prod(axis=axes, keepdims=True) ** repeats
        case rop.Combiner.MAXIMUM:
            return wide.max(axis=axes, keepdims=True)
        case rop.Combiner.MINIMUM:
            return wide.min(axis=axes, keepdims=True)
        case rop.Combiner.UNSIGNED_MAXIMUM:
            return unsigned(wide).max(axis=axes, keepdims=True).view(wide.dtype)
        case rop.Combiner.UNSIGNED_MINIMUM:
            return unsigned(wide).min(axis=axes, keepdims=True).view(wide.dtype)
        case rop.Combiner.NONE if all(extents[axis] == 1 for axis in reduced):
            return wide
        case rop.Combiner.NONE:
            raise RammerError("a reduction needs a combiner")
