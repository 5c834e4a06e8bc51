"""The range of values a quasi-affine expression takes over a box of indices."""

from collections.abc import Sequence
from typing import NamedTuple

from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
    AffineSymExpr,
)


class Range(NamedTuple):
    """The integers from `low` to `high`, both included."""

    low: int
    high: int

    @property
    def extent(self) -> int:
        return self.high - self.low + 1


def extent_ranges(extents: Sequence[int]) -> tuple[Range, ...]:
    """Ranges `0 .. extent - 1` of loops with the given extents."""
    return tuple(Range(0, extent - 1) for extent in extents)


def expression_range(expression: AffineExpr, dims: Sequence[Range], symbols: Sequence[Range] = ()) -> Range:
    """
    An enclosing range of the expression's values, dims and symbols varying independently.

    It is exact where each dim and symbol occurs once, and where a floordiv or mod by a constant applies to a
    range that it maps monotonically; otherwise it may be too wide, never too narrow.
    Raises ValueError for a division, or a modulus, by a range that contains zero or less.
    """
    match expression:
        case AffineConstantExpr(value):
            return Range(value, value)
        case AffineDimExpr(position):
            return dims[position]
        case AffineSymExpr(position):
            return symbols[position]
        case AffineBinaryOpExpr(kind, lhs, rhs):
            return _binary_range(kind, expression_range(lhs, dims, symbols), expression_range(rhs, dims, symbols))
        case _:
            raise ValueError(f"not an affine expression: {expression}")


def _binary_range(kind: AffineBinaryOpKind, lhs: Range, rhs: Range) -> Range:
    if kind is AffineBinaryOpKind.Add:
        return Range(lhs.low + rhs.low, lhs.high + rhs.high)
    if kind is AffineBinaryOpKind.Mul:
        products = [a * b for a in lhs for b in rhs]
        return Range(min(products), max(products))
    if rhs.low <= 0:
        raise ValueError(f"division by a value that may be {rhs.low}")
    if kind is AffineBinaryOpKind.Mod:
        if lhs.low // rhs.low == lhs.high // rhs.low and rhs.low == rhs.high:
            return Range(lhs.low % rhs.low, lhs.high % rhs.low)
        return Range(0, rhs.high - 1)
    if kind is AffineBinaryOpKind.FloorDiv:
        quotients = [a // b for a in lhs for b in rhs]
    else:
        quotients = [-(-a // b) for a in lhs for b in rhs]
    return Range(min(quotients), max(quotients))


def map_ranges(affine_map: AffineMap, dims: Sequence[Range], symbols: Sequence[Range] = ()) -> tuple[Range, ...]:
    """The range of each result of a map; raises ValueError as `expression_range` does."""
    return tuple(expression_range(result, dims, symbols) for result in affine_map.results)
