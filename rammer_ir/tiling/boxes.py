"""Boxes of what one task reads or writes, from index maps whose symbols are its coordinates and loop index."""

from collections.abc import Sequence

from xdsl.dialects.builtin import AffineMapAttr
from xdsl.ir.affine import AffineConstantExpr, AffineExpr, AffineMap, AffineSymExpr

from rammer_ir.dialects.rtask import BoxAttr
from rammer_ir.indexing.linear import linear_form
from rammer_ir.indexing.ranges import Range, expression_range, extent_ranges
from rammer_ir.indexing.simplify import simplify_map
from rammer_ir.indexing.sums import additive_terms, sum_of


def touched_box(
    affine_map: AffineMap, bounds: Sequence[int], shape: Sequence[int], grid: Sequence[int], loops: int
) -> BoxAttr:
    """
    The box of a tensor of `shape` that a task touches through a map over loops with the given bounds.

    The map's symbols are the task's coordinates in `grid`, then `loops` loop indices. A dimension whose position cannot
    be split into a part of the task, linear in loop indices, and a range of the loops widens to the whole dimension.
    """
    symbols = (*extent_ranges(grid), *(Range(0, 2**31) for _ in range(loops)))
    simplified = simplify_map(affine_map, extent_ranges(bounds), symbols)
    parts = [
        _interval(result, bounds, extent, len(grid)) for result, extent in zip(simplified.results, shape, strict=True)
    ]
    origin = AffineMap(len(grid), loops, tuple(_symbols_as_coordinates(start, len(grid), loops) for start, _ in parts))
    return BoxAttr(AffineMapAttr(origin), [size for _, size in parts])


def _interval(expression: AffineExpr, bounds: Sequence[int], extent: int, coordinates: int) -> tuple[AffineExpr, int]:
    """Start (in terms of symbols) and size of the interval of values, or the whole dimension."""
    of_loops: list[AffineExpr] = []
    of_task: list[AffineExpr] = []
    for term in additive_terms(expression):
        if not term.used_dims():
            of_task.append(term)
        elif not _symbols(term):
            of_loops.append(term)
        else:
            return AffineConstantExpr(0), extent
    if any(linear_form(term) is None and max(_symbols(term)) >= coordinates for term in of_task):
        return AffineConstantExpr(0), extent
    values = expression_range(sum_of(of_loops), extent_ranges(bounds))
    start = sum_of(of_task) + values.low
    if isinstance(start, AffineConstantExpr):
        low, high = max(start.value, 0), min(start.value + values.extent, extent)
        return AffineConstantExpr(low), max(high - low, 1)
    return start, values.extent


def _symbols(expression: AffineExpr) -> set[int]:
    return {part.position for part in expression.dfs() if isinstance(part, AffineSymExpr)}


def _symbols_as_coordinates(expression: AffineExpr, coordinates: int, loops: int) -> AffineExpr:
    dims = [AffineExpr.dimension(position) for position in range(coordinates)]
    symbols = [AffineExpr.symbol(position) for position in range(loops)]
    return expression.replace_dims_and_symbols([], [*dims, *symbols])


def union_box(first: BoxAttr, second: BoxAttr, shape: Sequence[int]) -> BoxAttr:
    """The smallest box that holds both; where their starts move differently, the whole dimension."""
    starts: list[AffineExpr] = []
    sizes: list[int] = []
    origins = zip(first.origin.data.results, second.origin.data.results, strict=True)
    for dim, (left, right) in enumerate(origins):
        difference = linear_form(AffineConstantExpr(0) if left == right else right + left * -1)
        if difference is None or difference.dims or difference.symbols:
            starts.append(AffineConstantExpr(0))
            sizes.append(shape[dim])
            continue
        low = min(0, difference.constant)
        high = max(first.sizes[dim], difference.constant + second.sizes[dim])
        starts.append(left + low)
        sizes.append(high - low)
    origin = first.origin.data
    return BoxAttr(AffineMapAttr(AffineMap(origin.num_dims, origin.num_symbols, tuple(starts))), sizes)
