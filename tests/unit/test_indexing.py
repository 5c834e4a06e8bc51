"""Simplified maps and inverses agree with evaluation at every index."""

import itertools
import math
import time
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.ir.affine import AffineBinaryOpExpr, AffineBinaryOpKind, AffineExpr, AffineMap

from rammer_ir.indexing.inverse import invert_map
from rammer_ir.indexing.linear import LinearForm, expression_size, linear_form, result_dims
from rammer_ir.indexing.ranges import Range, extent_ranges
from rammer_ir.indexing.simplify import (
    compose_maps,
    delinearize,
    linearize,
    simplify_expression,
    simplify_map,
)

D0, D1, D2 = (AffineExpr.dimension(position) for position in range(3))
S0 = AffineExpr.symbol(0)

positive = st.integers(1, 12)
leaves = st.one_of(
    st.sampled_from([D0, D1, D2, S0]),
    st.integers(-20, 20).map(AffineExpr.constant),
)


def _divided(kind: AffineBinaryOpKind, child: AffineExpr, divisor: int) -> AffineExpr:
    return AffineBinaryOpExpr(kind, child, AffineExpr.constant(divisor))


def _scaled(child: AffineExpr, factor: int) -> AffineExpr:
    return child * factor


def _added(left: AffineExpr, right: AffineExpr) -> AffineExpr:
    return left + right


def _range(low: int, length: int) -> Range:
    return Range(low, low + length)


def _branches(children: st.SearchStrategy[AffineExpr]) -> st.SearchStrategy[AffineExpr]:
    kinds = st.sampled_from([AffineBinaryOpKind.Mod, AffineBinaryOpKind.FloorDiv, AffineBinaryOpKind.CeilDiv])
    return st.one_of(
        st.builds(_divided, kinds, children, positive),
        st.builds(_scaled, children, st.integers(-12, 12)),
        st.builds(_added, children, children),
    )


expressions = st.recursive(leaves, _branches, max_leaves=12)
ranges = st.builds(_range, st.integers(-9, 9), st.integers(0, 9))
shapes = st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4)


def _indices(extents: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return itertools.product(*(range(extent) for extent in extents))


def _points(dims: Sequence[Range]) -> Iterator[tuple[int, ...]]:
    return itertools.product(*(range(values.low, values.high + 1) for values in dims))


@given(expressions, st.tuples(ranges, ranges, ranges), ranges)
def test_simplified_expressions_have_the_same_values(
    expression: AffineExpr, dims: tuple[Range, ...], symbol: Range
) -> None:
    bounded = simplify_expression(expression, dims, [symbol])
    unbounded = simplify_expression(expression, dims)
    for *point, symbol_value in _points([*dims, symbol]):
        expected = expression.eval(point, [symbol_value])
        assert bounded.eval(point, [symbol_value]) == expected
        assert unbounded.eval(point, [symbol_value]) == expected


@given(expressions, st.tuples(ranges, ranges, ranges), ranges)
def test_simplification_is_idempotent_on_values_it_has_seen(
    expression: AffineExpr, dims: tuple[Range, ...], symbol: Range
) -> None:
    once = simplify_expression(expression, dims, [symbol])
    assert expression_size(AffineMap(3, 1, (simplify_expression(once, dims, [symbol]),))) <= expression_size(
        AffineMap(3, 1, (once,))
    )


@pytest.mark.parametrize(
    ("expression", "extents", "expected"),
    [
        ((D0 * 16 + D1) // 16, (8, 16), D0),
        ((D0 * 16 + D1) % 16, (8, 16), D1),
        ((D0 * 16 + D1) // 32, (8, 16), D0 // 2),
        ((D0 * 16 + D1) % 32, (8, 16), (D0 % 2) * 16 + D1),
        ((D0 // 8) * 8 + D0 % 8, (100,), D0),
        ((D0 // 16) * 16 + ((D0 // 4) % 4) * 4 + D0 % 4, (100,), D0),
        (D0 + (D0 // 4) * -4, (100,), D0 % 4),
        ((D0 // 4) // 5, (100,), D0 // 20),
        ((D0 % 20) // 4, (100,), (D0 // 4) % 5),
        ((D0 % 20) % 4, (100,), D0 % 4),
        (D0 % 8, (8,), D0),
        (D0 // 8, (8,), AffineExpr.constant(0)),
        ((D0 + 13) % 4, (4,), (D0 + 1) % 4),
        ((D0 + 1) // 4 * 4 + (D0 + 5) % 4, (100,), D0 + 1),
        (D1 + D0 + D1, (4, 4), D0 + D1 * 2),
        (D0 * 3 + D1, (1, 4), D1),
    ],
)
def test_index_arithmetic_of_views_cancels(
    expression: AffineExpr, extents: tuple[int, ...], expected: AffineExpr
) -> None:
    assert simplify_expression(expression, extent_ranges(extents)) == expected


@pytest.mark.parametrize(
    "expression",
    [
        AffineBinaryOpExpr(AffineBinaryOpKind.Mul, D0, D1),
        AffineBinaryOpExpr(AffineBinaryOpKind.Mod, D0, D1),
        AffineBinaryOpExpr(AffineBinaryOpKind.FloorDiv, D0, AffineExpr.constant(0)),
        AffineBinaryOpExpr(AffineBinaryOpKind.Mod, D0, AffineExpr.constant(-2)),
    ],
)
def test_what_is_not_quasi_affine_is_refused(expression: AffineExpr) -> None:
    with pytest.raises(ValueError, match=r"constant|by"):
        simplify_expression(expression, extent_ranges((4, 4)))


@given(shapes, st.data())
def test_reshapes_there_and_back_are_the_identity(shape: list[int], data: st.DataObject) -> None:
    flat = [math.prod(shape)]
    other = data.draw(st.permutations(shape))
    there = compose_maps(delinearize(flat, other), delinearize(shape, flat), extent_ranges(shape))
    back = compose_maps(delinearize(other, shape), there, extent_ranges(shape))
    assert back == simplify_map(AffineMap.identity(len(shape)), extent_ranges(shape))
    for position, index in enumerate(_indices(shape)):
        assert linearize(there, other, extent_ranges(shape)).eval(index, []) == (position,)


def test_composed_symbols_are_the_inner_maps_then_the_outer_maps() -> None:
    inner = AffineMap(1, 1, (D0 + S0, S0))
    outer = AffineMap(2, 1, (D0 * 2 + S0, D1))
    composed = compose_maps(outer, inner, extent_ranges((4,)))
    assert composed.eval([3], [5, 7]) == ((3 + 5) * 2 + 7, 5)
    with pytest.raises(ValueError, match="2 dims cannot take the 1 results"):
        compose_maps(outer, AffineMap(1, 0, (D0,)), extent_ranges((4,)))


def test_long_chains_of_reshapes_and_transposes_stay_fast() -> None:
    start = time.perf_counter()
    shapes = [(4, 6, 10), (12, 20), (5, 48), (16, 15), (8, 3, 10)]
    affine_map = AffineMap.identity(3)
    shape: tuple[int, ...] = (4, 6, 10)
    for target in shapes:
        swapped = AffineMap(len(target), 0, tuple(AffineExpr.dimension(d) for d in reversed(range(len(target)))))
        affine_map = compose_maps(delinearize(shape, target), affine_map, extent_ranges((4, 6, 10)))
        affine_map = compose_maps(swapped, affine_map, extent_ranges((4, 6, 10)))
        shape = tuple(reversed(target))
    assert time.perf_counter() - start < 5
    linear = linearize(affine_map, shape, extent_ranges((4, 6, 10)))
    assert sorted(linear.eval(index, [])[0] for index in _indices((4, 6, 10))) == list(range(240))


@given(shapes, st.data())
def test_inverses_of_reshaped_permutations(shape: list[int], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(shape))))
    loops = [shape[position] for position in order]
    permute = AffineMap(len(shape), 0, tuple(AffineExpr.dimension(order.index(d)) for d in range(len(shape))))
    for extents, target in ((loops, shape), ([math.prod(shape)], shape), (shape, [math.prod(shape)])):
        affine_map = permute if extents is loops else delinearize(extents, target)
        inverse = invert_map(affine_map, extents, target)
        assert inverse is not None
        for index in _indices(extents):
            assert inverse.eval(affine_map.eval(index, []), []) == index


loop_maps = st.lists(expressions.filter(lambda e: not any(part == S0 for part in e.dfs())), min_size=1, max_size=3)


@given(loop_maps, st.tuples(positive, positive, positive), st.lists(positive, min_size=3, max_size=3))
def test_what_is_inverted_enumerates_the_tensor_once(
    results: list[AffineExpr], extents: tuple[int, ...], shape: list[int]
) -> None:
    affine_map = AffineMap(3, 0, tuple(results))
    target = shape[: len(results)]
    inverse = invert_map(affine_map, extents, target)
    if inverse is None:
        return
    reached = [affine_map.eval(index, []) for index in _indices(extents)]
    assert sorted(reached) == list(_indices(target))
    assert [inverse.eval(place, []) for place in reached] == list(_indices(extents))


@pytest.mark.parametrize(
    ("results", "extents", "shape"),
    [
        ((D0 + 1,), (4,), (5,)),  # a place is left out
        ((D0,), (4,), (5,)),
        ((D0, D0), (4,), (4, 4)),
        ((D0 * 2 + D1,), (4, 3), (9,)),
        ((D0,), (4, 2), (4,)),
        ((D0 % 2, D0 // 4), (8,), (4, 2)),
        ((D0 % 2,), (8,), (2,)),
        ((D0 + S0,), (4,), (4,)),
    ],
)
def test_maps_without_an_inverse(
    results: tuple[AffineExpr, ...], extents: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    num_symbols = int(any(part == S0 for result in results for part in result.dfs()))
    assert invert_map(AffineMap(len(extents), num_symbols, results), extents, shape) is None


def test_linear_forms() -> None:
    assert linear_form(D0 * 3 + D1 + S0 * 2 + D0 + 5) == LinearForm(5, {0: 4, 1: 1}, {0: 2})
    assert linear_form(D0 + D0 * -1) == LinearForm()
    assert linear_form(D0 // 2 + D1) is None
    assert linear_form(AffineBinaryOpExpr(AffineBinaryOpKind.Mul, D0, D1)) is None
    forms = [linear_form(expression) for expression in (D1, D1 + 1, D1 * 2, D0 + D1, D1 + S0, S0)]
    assert [form and form.only_dim for form in forms] == [1, None, None, None, None, None]


def test_dims_of_results() -> None:
    affine_map = AffineMap(3, 0, (D0 + D2 * 2, AffineExpr.constant(3), D1 // 4))
    assert result_dims(affine_map) == ({0, 2}, set(), {1})
    assert expression_size(affine_map) == 5 + 1 + 3
