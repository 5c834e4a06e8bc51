"""Sums of products over some axes of two broadcast arrays, as matrix products."""

import math
from collections.abc import Collection, Sequence

import numpy as np

from rammer_ir.interpreters.element_types import Array, is_float

_EXACT_IN_FLOAT64 = 2.0**53


def contract(lhs: Array, rhs: Array, extents: Sequence[int], reduced: Collection[int]) -> Array:
    """
    The sum over the axes `reduced` of `lhs * rhs`, both of rank `len(extents)` with 1 or the extent on every axis.

    Floats are multiplied and summed in float64, without rounding the products; integers in 64 bits, wrapping.
    The result has the same rank, 1 on reduced axes, and 1 on other axes that neither operand has.
    """
    axes = range(len(extents))
    repeats = math.prod(extents[axis] for axis in reduced if lhs.shape[axis] == 1 and rhs.shape[axis] == 1)
    lhs = _sum_alone(lhs, rhs, reduced)
    rhs = _sum_alone(rhs, lhs, reduced)
    both = [axis for axis in axes if lhs.shape[axis] > 1 and rhs.shape[axis] > 1]
    batch = [axis for axis in both if axis not in reduced]
    summed = [axis for axis in both if axis in reduced]
    rows = [axis for axis in axes if lhs.shape[axis] > 1 and axis not in both]
    columns = [axis for axis in axes if rhs.shape[axis] > 1 and axis not in both]
    product = _multiply(_as_matrices(lhs, batch, rows, summed), _as_matrices(rhs, batch, summed, columns))
    order = [*batch, *rows, *columns]
    order += [axis for axis in axes if axis not in order]
    kept = {*batch, *rows, *columns}
    shaped = product.reshape([extents[axis] if axis in kept else 1 for axis in order])
    return shaped.transpose(np.argsort(order)) * repeats


def _wide(values: Array) -> Array:
    """The array in the dtype that sums are taken in."""
    if is_float(values.dtype):
        return values.astype(np.float64, copy=False)
    return values.astype(np.uint64 if values.dtype.kind == "u" else np.int64, copy=False)


def _sum_alone(values: Array, other: Array, reduced: Collection[int]) -> Array:
    """Sums the axes that are reduced and that the other operand does not have."""
    alone = tuple(axis for axis in reduced if other.shape[axis] == 1 and values.shape[axis] > 1)
    return _wide(values).sum(axis=alone, keepdims=True) if alone else values


def _as_matrices(values: Array, batch: Sequence[int], rows: Sequence[int], columns: Sequence[int]) -> Array:
    order = [*batch, *rows, *columns]
    order += [axis for axis in range(values.ndim) if axis not in order]
    sizes = [math.prod(values.shape[axis] for axis in group) for group in (batch, rows, columns)]
    return values.transpose(order).reshape(sizes)


def _multiply(lhs: Array, rhs: Array) -> Array:
    if is_float(lhs.dtype):
        return _wide(lhs) @ _wide(rhs)
    # Matrix products of integers are slow in NumPy; those of floats are exact while no sum can be rounded.
    largest = float(np.abs(_wide(lhs).astype(np.float64)).max()) * float(np.abs(_wide(rhs).astype(np.float64)).max())
    if largest * lhs.shape[-1] < _EXACT_IN_FLOAT64:
        product = lhs.astype(np.float64) @ rhs.astype(np.float64)
        return product.astype(_wide(lhs).dtype)
    return _wide(lhs) @ _wide(rhs)
