"""Quasi-affine maps on whole ranges of tasks, and how they go on with the loop index."""

from collections.abc import Sequence
from math import gcd, lcm
from typing import NamedTuple, cast

import numpy as np
from xdsl.dialects.builtin import BytesAttr, DenseIntElementsAttr, DenseIntOrFPElementsAttr, TensorType, i64
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
    AffineSymExpr,
)

from rammer_ir.scheduling.boxes import Integers


def evaluate(affine_map: AffineMap, points: Integers, symbols: Sequence[int] = ()) -> Integers:
    """The map's results at `points`, shape [n, dims], and one value a symbol: shape [n, results]."""
    count = points.shape[0]
    results = np.empty((count, len(affine_map.results)), np.int64)
    # AffineExpr.eval only adds, multiplies and divides: it takes arrays as well.
    columns = cast("Sequence[int]", [points[:, dim] for dim in range(points.shape[1])])
    for k, result in enumerate(affine_map.results):
        results[:, k] = result.eval(columns, symbols)
    return results


def table_rows(table: DenseIntElementsAttr) -> Integers:
    """The rows of a table of integers, shape [n, columns]."""
    return np.array(table.get_values(), np.int64).reshape(table.get_shape())


def wait_table(rows: Integers) -> DenseIntElementsAttr:
    """A table of waits, of shape [tasks, 3], as an attribute."""
    # From numbers one by one it takes longer than all else that there is to do about waits.
    return DenseIntOrFPElementsAttr(TensorType(i64, rows.shape), BytesAttr(rows.astype("<i8").tobytes()))


def grid_points(grid: Sequence[int], first: int, last: int) -> Integers:
    """Coordinates of the linear indices `first` to `last` (not included) in a grid; shape [last - first, rank]."""
    return np.stack(np.unravel_index(np.arange(first, last), tuple(grid)), axis=1).astype(np.int64)


class Periodicity(NamedTuple):
    """What an expression does as the loop index grows: from `t` to `t + period` it changes by exactly `drift`."""

    period: int
    drift: int

    def over(self, period: int) -> int:
        """The change over a multiple of the period."""
        return self.drift * (period // self.period)


STILL = Periodicity(1, 0)


def periodicity(expression: AffineExpr) -> Periodicity:
    """
    Period and drift in the loop index, the only symbol.

    Raises ValueError for a product of two dimensions or symbols, and for division by what is not a positive constant.
    """
    match expression:
        case AffineConstantExpr() | AffineDimExpr():
            return STILL
        case AffineSymExpr():
            return Periodicity(1, 1)
        case AffineBinaryOpExpr(kind, lhs, rhs):
            return _binary(kind, lhs, rhs)
        case _:
            raise ValueError(f"not an affine expression: {expression}")


def _binary(kind: AffineBinaryOpKind, lhs: AffineExpr, rhs: AffineExpr) -> Periodicity:
    left, right = periodicity(lhs), periodicity(rhs)
    if kind is AffineBinaryOpKind.Add:
        period = lcm(left.period, right.period)
        return Periodicity(period, left.over(period) + right.over(period))
    if left == STILL and right == STILL:
        return STILL
    if isinstance(lhs, AffineConstantExpr) and kind is AffineBinaryOpKind.Mul:
        lhs, rhs, left = rhs, lhs, right
    if not isinstance(rhs, AffineConstantExpr):
        raise ValueError("the loop index is multiplied or divided by what is not a constant")
    if kind is AffineBinaryOpKind.Mul:
        return Periodicity(left.period, left.drift * rhs.value)
    if rhs.value <= 0:
        raise ValueError(f"division by {rhs.value}")
    times = rhs.value // gcd(left.drift, rhs.value)
    drift = 0 if kind is AffineBinaryOpKind.Mod else left.drift * times // rhs.value
    return Periodicity(left.period * times, drift)
