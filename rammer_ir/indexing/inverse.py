"""Inverses of maps that enumerate every index of a tensor once: permutations, splits and joins of dims."""

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

from rammer_ir.indexing.linear import linear_form
from rammer_ir.indexing.ranges import extent_ranges
from rammer_ir.indexing.simplify import simplify_map


class _Digit(NamedTuple):
    """`(dim floordiv divisor) mod modulus`, or without the modulus."""

    dim: int
    divisor: int
    modulus: int | None


class _Part(NamedTuple):
    """A result that holds a digit of a loop, with the tensor's extent there."""

    divisor: int
    extent: int
    position: int


def invert_map(affine_map: AffineMap, extents: Sequence[int], shape: Sequence[int]) -> AffineMap | None:
    """
    The map from a tensor's index to the one loop index that the given map takes to it.

    `extents` are the loops', `shape` the tensor's. Every result may join loops in mixed radix (`d0 * 16 + d1`), and
    every loop may be split over several results (`d0 floordiv 16, d0 mod 16`). None if the map depends on a symbol,
    takes two loop indices to the same place, leaves a place out, or is of another form.
    """
    if any(isinstance(part, AffineSymExpr) for result in affine_map.results for part in result.dfs()):
        return None
    simple = simplify_map(AffineMap(affine_map.num_dims, 0, affine_map.results), extent_ranges(extents))
    inverse: dict[int, AffineExpr] = {dim: AffineExpr.constant(0) for dim, extent in enumerate(extents) if extent == 1}
    splits: dict[int, list[_Part]] = {}
    for position, (result, extent) in enumerate(zip(simple.results, shape, strict=True)):
        digit = _digit(result)
        if digit is not None:
            if digit.modulus not in (None, extent):
                return None
            splits.setdefault(digit.dim, []).append(_Part(digit.divisor, extent, position))
        elif not _invert_join(result, position, extent, extents, inverse):
            return None
    for dim, parts in splits.items():
        if dim in inverse or not _invert_split(dim, parts, extents[dim], inverse):
            return None
    if len(inverse) != len(extents):
        return None
    return AffineMap(len(shape), 0, tuple(inverse[dim] for dim in range(len(extents))))


def _digit(expression: AffineExpr) -> _Digit | None:
    match expression:
        case AffineBinaryOpExpr(AffineBinaryOpKind.Mod, AffineDimExpr(dim), AffineConstantExpr(modulus)):
            return _Digit(dim, 1, modulus)
        case AffineBinaryOpExpr(AffineBinaryOpKind.FloorDiv, AffineDimExpr(dim), AffineConstantExpr(divisor)):
            return _Digit(dim, divisor, None)
        case AffineBinaryOpExpr(AffineBinaryOpKind.Mod, AffineBinaryOpExpr() as inner, AffineConstantExpr(modulus)):
            digit = _digit(inner)
            return None if digit is None or digit.modulus is not None else digit._replace(modulus=modulus)
        case _:
            return None


def _invert_join(
    result: AffineExpr, position: int, extent: int, extents: Sequence[int], inverse: dict[int, AffineExpr]
) -> bool:
    """Enters the loops that a result of the given extent joins; False if it does not enumerate 0..extent-1 once."""
    form = linear_form(result)
    if form is None or form.constant:
        return False
    stride = 1
    index = AffineExpr.dimension(position)
    for dim, coefficient in sorted(form.dims.items(), key=lambda item: item[1]):
        if coefficient != stride or dim in inverse:
            return False
        stride *= extents[dim]
        quotient = index if coefficient == 1 else index // coefficient
        inverse[dim] = quotient if stride == extent else quotient % extents[dim]
    return stride == extent


def _invert_split(dim: int, parts: Sequence[_Part], extent: int, inverse: dict[int, AffineExpr]) -> bool:
    """Enters a loop that is split over several results; False if they do not make it up."""
    stride = 1
    index = AffineExpr.constant(0)
    for part in sorted(parts):
        if part.divisor != stride:
            return False
        index = index + AffineExpr.dimension(part.position) * part.divisor
        stride *= part.extent
    inverse[dim] = index
    return stride == extent
