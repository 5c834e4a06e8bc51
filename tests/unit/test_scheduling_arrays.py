"""Boxes, maps, waves and memory plans as arrays."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from xdsl.ir.affine import AffineBinaryOpExpr, AffineBinaryOpKind, AffineExpr, AffineMap

from rammer_ir.scheduling import boxes as boxes_module
from rammer_ir.scheduling.boxes import Boxes, Integers, covered_volumes, overlapping_pairs
from rammer_ir.scheduling.budget import registers_per_thread, ring_slots
from rammer_ir.scheduling.dependencies import accesses_conflict
from rammer_ir.scheduling.maps import evaluate, grid_points, periodicity
from rammer_ir.scheduling.memory_plan import aligned_sizes, find_overlap, meetings, most_alive, plan_offsets
from rammer_ir.scheduling.schedule import Access
from rammer_ir.scheduling.wavefront import balanced_offsets, wave_numbers

SHAPE = (5, 4)


@st.composite
def some_boxes(draw: st.DrawFn, shape: tuple[int, ...] = SHAPE) -> Boxes:
    n = draw(st.integers(0, 8))
    origins = np.array([[draw(st.integers(-2, extent)) for extent in shape] for _ in range(n)], np.int64)
    return Boxes.clipped(origins.reshape(n, len(shape)), [draw(st.integers(1, 3)) for _ in shape], shape)


def cells(boxes: Boxes, number: int) -> set[tuple[int, ...]]:
    low, high = boxes.low[number].tolist(), boxes.high[number].tolist()
    return set(product(*(range(a, b) for a, b in zip(low, high, strict=True))))


@given(some_boxes(), some_boxes(), st.integers(1, 8), st.sampled_from([0, 20, 100]))
def test_overlapping_pairs(first: Boxes, second: Boxes, at_once: int, few: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boxes_module, "PAIRS_AT_ONCE", at_once)
        patch.setattr(boxes_module, "FEW_PAIRS", few)
        found = [pair for i, j in overlapping_pairs(first, second) for pair in zip(i.tolist(), j.tolist(), strict=True)]
    expected = {(i, j) for i in range(len(first)) for j in range(len(second)) if cells(first, i) & cells(second, j)}
    assert len(found) == len(set(found))
    assert set(found) == expected


@given(some_boxes())
def test_volumes_hull_and_addresses(boxes: Boxes) -> None:
    every = [cells(boxes, number) for number in range(len(boxes))]
    assert boxes.volumes().tolist() == [len(part) for part in every]
    assert boxes.empty().tolist() == [not part for part in every]
    union = set[tuple[int, ...]]().union(*every)
    assert len(boxes.hull()) == bool(union)
    assert all(union <= cells(boxes.hull(), 0) for _ in range(len(boxes.hull())))
    spans = boxes.addresses(SHAPE)
    for number, part in enumerate(every):
        addresses = [int(np.ravel_multi_index(cell, SHAPE)) for cell in part]
        if addresses:
            assert (int(spans.low[number, 0]), int(spans.high[number, 0])) == (min(addresses), max(addresses) + 1)
        else:
            assert spans.empty()[number]


@given(some_boxes(), st.data())
def test_covered_volumes(wanted: Boxes, data: st.DataObject) -> None:
    order = data.draw(st.permutations(list(product(*map(range, SHAPE)))))
    low = np.array(order[: data.draw(st.integers(1, 20))], np.int64)
    given_times = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(low), max_size=len(low))), np.int64)
    times = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(wanted), max_size=len(wanted))), np.int64)
    volumes = covered_volumes(wanted, Boxes(low, low + 1), times, given_times)
    for number in range(len(wanted)):
        earlier = {tuple(cell) for cell in low[given_times < times[number]].tolist()}
        assert volumes[number] == len(cells(wanted, number) & earlier)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> AffineExpr:
    kind = draw(
        st.sampled_from(["symbol", "dim", "constant"] if depth == 0 else ["symbol", "dim", "+", "*", "mod", "//"])
    )
    if kind == "symbol":
        return AffineExpr.symbol(0)
    if kind == "dim":
        return AffineExpr.dimension(0)
    if kind == "constant":
        return AffineExpr.constant(draw(st.integers(-4, 4)))
    left = draw(expressions(depth - 1))
    if kind == "+":
        return left + draw(expressions(depth - 1))
    if kind == "*":
        return left * draw(st.integers(-3, 3))
    divisor = draw(st.integers(1, 4))
    return left % divisor if kind == "mod" else left // divisor


@given(expressions(), st.integers(0, 30), st.integers(-5, 5))
def test_periodicity(expression: AffineExpr, t: int, dim: int) -> None:
    period, drift = periodicity(expression)
    affine_map = AffineMap(1, 1, (expression,))
    points = np.array([[dim]], np.int64)
    now, later = evaluate(affine_map, points, [t]), evaluate(affine_map, points, [t + period])
    assert later[0, 0] - now[0, 0] == drift


def test_products_of_the_loop_index_have_no_period() -> None:
    with pytest.raises(ValueError, match="not a constant"):
        periodicity(AffineBinaryOpExpr(AffineBinaryOpKind.Mul, AffineExpr.dimension(0), AffineExpr.symbol(0)))
    with pytest.raises(ValueError, match="division by 0"):
        periodicity(AffineExpr.symbol(0) % AffineExpr.constant(0))


def test_grid_points_run_fastest_in_the_last_coordinate() -> None:
    assert grid_points((2, 3), 1, 5).tolist() == [[0, 1], [0, 2], [1, 0], [1, 1]]


@st.composite
def buffers(draw: st.DrawFn) -> tuple[Integers, Integers, Integers]:
    """Sizes and lifetimes of buffers."""
    n = draw(st.integers(0, 12))
    rows = [(draw(st.integers(0, 5000)), a := draw(st.integers(0, 9)), draw(st.integers(a, 9))) for _ in range(n)]
    return tuple(np.array(rows, np.int64).reshape(n, 3).T)  # pyright: ignore[reportReturnType]


@given(buffers())
def test_planned_buffers_do_not_meet(case: tuple[Integers, Integers, Integers]) -> None:
    sizes, first, last = case
    offsets = plan_offsets(sizes, meetings(first, last), 256, bound=0)
    assert (offsets % 256 == 0).all()
    assert find_overlap(offsets, sizes, meetings(first, last)) is None
    for i in range(len(sizes)):
        for j in range(i):
            together = first[i] <= last[j] and first[j] <= last[i]
            meet = offsets[i] < offsets[j] + sizes[j] and offsets[j] < offsets[i] + sizes[i]
            assert not (together and meet and sizes[i] and sizes[j])


@given(buffers(), st.data())
def test_overlap_is_found(case: tuple[Integers, Integers, Integers], data: st.DataObject) -> None:
    sizes, first, last = case
    assume(len(sizes) > 0)
    offsets = np.array([data.draw(st.integers(0, 20000)) for _ in sizes], np.int64)
    expected = any(
        max(first[i], first[j]) <= min(last[i], last[j])
        and max(offsets[i], offsets[j]) < min(offsets[i] + sizes[i], offsets[j] + sizes[j])
        for i in range(len(sizes))
        for j in range(i)
    )
    assert (find_overlap(offsets, sizes, meetings(first, last)) is not None) == expected


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 200), st.integers(1, 4), st.integers(0, 2)), min_size=2, max_size=60))
def test_plans_of_networks_are_tight(layers: list[tuple[int, int, int]]) -> None:
    """A chain of layers with side branches and skip connections: the arena is hardly larger than what lives at once."""
    sizes: list[int] = []
    first: list[int] = []
    last: list[int] = []
    for number, (size, skip, branches) in enumerate(layers):
        for part in range(1 + branches):
            sizes.append(size * 1024 >> part)
            first.append(number)
            last.append(number + (skip if part == 0 else 1))
    bytes_, begin, end = (np.array(column, np.int64) for column in (sizes, first, last))
    padded, meets = aligned_sizes(bytes_, 256), meetings(begin, end)
    bound = most_alive(padded, begin, end)
    offsets = plan_offsets(bytes_, meets, 256, bound)
    assert find_overlap(offsets, bytes_, meets) is None
    assert int((offsets + padded).max()) <= 1.2 * bound


@st.composite
def nodes(draw: st.DrawFn) -> list[list[Access]]:
    return [
        [
            Access(draw(st.integers(0, 1)), draw(some_boxes()), draw(st.booleans()))
            for _ in range(draw(st.integers(0, 3)))
        ]
        for _ in range(draw(st.integers(0, 6)))
    ]


@given(nodes())
def test_waves_are_the_earliest_possible(accesses: list[list[Access]]) -> None:
    waves = wave_numbers(accesses)

    def conflict(a: Access, b: Access) -> bool:
        left = set[tuple[int, ...]]().union(*(cells(a.boxes, number) for number in range(len(a.boxes))))
        right = set[tuple[int, ...]]().union(*(cells(b.boxes, number) for number in range(len(b.boxes))))
        assert accesses_conflict(a, b) == (a.memory == b.memory and (a.write or b.write) and bool(left & right))
        return accesses_conflict(a, b)

    for second, later in enumerate(accesses):
        before = [waves[i] for i in range(second) if any(conflict(a, b) for a in accesses[i] for b in later)]
        assert waves[second] == max(before, default=-1) + 1


@given(st.lists(st.tuples(st.integers(1, 40), st.floats(0.5, 5)), max_size=8), st.integers(1, 9))
def test_waves_are_balanced(dispatches: list[tuple[int, float]], veus: int) -> None:
    tasks, costs = [count for count, _ in dispatches], [cost for _, cost in dispatches]
    load = np.zeros(veus)
    for offset, count, cost in zip(balanced_offsets(tasks, costs, veus), tasks, costs, strict=True):
        assert 0 <= offset < veus
        np.add.at(load, (offset + np.arange(count)) % veus, cost)
    if dispatches:
        # What a greedy choice, the dearest first, promises: no vEU has more than the average and one task.
        assert load.max() <= sum(a * b for a, b in dispatches) / veus + len(dispatches) * max(costs)


def test_two_halves_of_a_wave_run_side_by_side() -> None:
    assert balanced_offsets([66, 66], [1.0, 1.0], 132) == [0, 66]
    assert balanced_offsets([100, 64], [1.0, 2.0], 132) == [32, 0]


def test_budget() -> None:
    assert registers_per_thread(65536, 384) == 168
    assert registers_per_thread(65536, 256) == 255
    assert ring_slots(100_000, 8192) == 12
    assert ring_slots(1 << 20, 8192) == 16
    assert ring_slots(-1, 8192) == 0
