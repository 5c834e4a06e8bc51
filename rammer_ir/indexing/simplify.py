"""
Simplification of quasi-affine expressions and maps by the ranges of their dims and symbols.

An expression becomes a sum of coefficients times digits. A digit is `(x floordiv divisor) mod modulus`: what dividing
a tensor's linear index gives. Splitting an index and putting it together again then cancels, as in
`16 * (x floordiv 16) + x mod 16 = x`. The results are canonical in the order of their terms, not in general: two
expressions that agree everywhere may still differ.
"""

from collections.abc import Sequence
from functools import lru_cache

from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
    AffineSymExpr,
)

from rammer_ir.indexing.digits import Arithmetic, Sum, constant, to_expression, variable
from rammer_ir.indexing.ranges import Range, extent_ranges

UNBOUNDED = Range(-(2**62), 2**62)
"""The range of an index that nothing is known of."""


def _to_sum(expression: AffineExpr, dims: Sequence[Sum], symbols: Sequence[Sum], arithmetic: Arithmetic) -> Sum:
    match expression:
        case AffineConstantExpr(value):
            return constant(value)
        case AffineDimExpr(position):
            return dims[position]
        case AffineSymExpr(position):
            return symbols[position]
        case AffineBinaryOpExpr(kind, lhs, rhs):
            left = _to_sum(lhs, dims, symbols, arithmetic)
            right = _to_sum(rhs, dims, symbols, arithmetic)
            return _binary(kind, left, right, arithmetic)
        case _:
            raise ValueError(f"not an affine expression: {expression}")


def _binary(kind: AffineBinaryOpKind, left: Sum, right: Sum, arithmetic: Arithmetic) -> Sum:
    if kind is AffineBinaryOpKind.Add:
        return arithmetic.add(left, right)
    if kind is AffineBinaryOpKind.Mul and not left.terms:
        return arithmetic.multiply(right, left.constant)
    if right.terms:
        raise ValueError(f"the right-hand side of {kind.get_token()} is not a constant")
    if kind is AffineBinaryOpKind.Mul:
        return arithmetic.multiply(left, right.constant)
    if right.constant <= 0:
        raise ValueError(f"{kind.get_token()} by {right.constant}")
    if kind is AffineBinaryOpKind.Mod:
        return arithmetic.mod(left, right.constant)
    if kind is AffineBinaryOpKind.CeilDiv:
        left = arithmetic.add(left, constant(right.constant - 1))
    return arithmetic.floordiv(left, right.constant)


def _symbol_ranges(count: int, symbols: Sequence[Range] | None) -> tuple[Range, ...]:
    return (UNBOUNDED,) * count if symbols is None else tuple(symbols)


def _variables(arithmetic: Arithmetic) -> tuple[list[Sum], list[Sum]]:
    dims = [arithmetic.normalized(variable(position)) for position in range(len(arithmetic.dims))]
    symbols = [arithmetic.normalized(variable(position, is_symbol=True)) for position in range(len(arithmetic.symbols))]
    return dims, symbols


def simplify_expression(
    expression: AffineExpr, dims: Sequence[Range], symbols: Sequence[Range] | None = None
) -> AffineExpr:
    """
    An expression with the same value wherever dims and symbols are in their ranges (symbols: any value if not given).

    Raises ValueError if the expression is not quasi-affine: a product, quotient or remainder with no constant in its
    place, or a division by zero or less.
    """
    used = [part.position for part in expression.dfs() if isinstance(part, AffineSymExpr)]
    num_symbols = max(used, default=-1) + 1 if symbols is None else len(symbols)
    (result,) = simplify_map(AffineMap(len(dims), num_symbols, (expression,)), dims, symbols).results
    return result


def simplify_map(affine_map: AffineMap, dims: Sequence[Range], symbols: Sequence[Range] | None = None) -> AffineMap:
    """The map with each result simplified; raises ValueError as `simplify_expression` does."""
    return _simplified(affine_map, tuple(dims), _symbol_ranges(affine_map.num_symbols, symbols))


@lru_cache(maxsize=8192)
def _simplified(affine_map: AffineMap, dim_ranges: tuple[Range, ...], symbol_ranges: tuple[Range, ...]) -> AffineMap:
    arithmetic = Arithmetic(dim_ranges, symbol_ranges)
    dims, symbols = _variables(arithmetic)
    results = tuple(to_expression(_to_sum(result, dims, symbols, arithmetic)) for result in affine_map.results)
    return AffineMap(affine_map.num_dims, affine_map.num_symbols, results)


def compose_maps(
    outer: AffineMap, inner: AffineMap, dims: Sequence[Range], symbols: Sequence[Range] | None = None
) -> AffineMap:
    """
    The map `outer(inner(index))`, simplified by the ranges of the inner map's dims.

    Its symbols are the inner map's, then the outer map's. Raises ValueError as `simplify_expression` does, and if the
    inner map does not have one result for each dim of the outer map.
    """
    if outer.num_dims != len(inner.results):
        raise ValueError(f"a map of {outer.num_dims} dims cannot take the {len(inner.results)} results of another")
    ranges = _symbol_ranges(inner.num_symbols + outer.num_symbols, symbols)
    return _composed(outer, inner, tuple(dims), ranges)


@lru_cache(maxsize=8192)
def _composed(
    outer: AffineMap, inner: AffineMap, dim_ranges: tuple[Range, ...], symbol_ranges: tuple[Range, ...]
) -> AffineMap:
    arithmetic = Arithmetic(dim_ranges, symbol_ranges)
    dims, symbols = _variables(arithmetic)
    indices = [_to_sum(result, dims, symbols, arithmetic) for result in inner.results]
    outer_symbols = symbols[inner.num_symbols :]
    results = tuple(to_expression(_to_sum(result, indices, outer_symbols, arithmetic)) for result in outer.results)
    return AffineMap(inner.num_dims, len(symbols), results)


def linearize(
    affine_map: AffineMap, shape: Sequence[int], dims: Sequence[Range], symbols: Sequence[Range] | None = None
) -> AffineMap:
    """The map's results as one row-major linear index into a tensor of the given shape, simplified."""
    index = AffineExpr.constant(0)
    for position, extent in enumerate(shape):
        index = index * extent + AffineExpr.dimension(position)
    return compose_maps(AffineMap(len(shape), 0, (index,)), affine_map, dims, symbols)


def delinearize(extents: Sequence[int], shape: Sequence[int]) -> AffineMap:
    """
    The map from the indices of a box to the index at the same row-major position of a tensor of the given shape.

    Both have the same number of elements. Example: `delinearize([6], [2, 3])` is `(d0) -> (d0 floordiv 3, d0 mod 3)`.
    """
    linear = AffineExpr.dimension(0)
    stride = 1
    results: list[AffineExpr] = []
    for extent in reversed(shape):
        results.append((linear // stride) % extent)
        stride *= extent
    split = AffineMap(1, 0, tuple(reversed(results)))
    ranges = extent_ranges(extents)
    return compose_maps(split, linearize(AffineMap.identity(len(extents)), extents, ranges), ranges)
