"""Partial orders: what accesses ask for, what follows from it, and memory plans that obey it."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rammer_ir.scheduling.boxes import Boxes, Integers
from rammer_ir.scheduling.dependencies import (
    accesses_conflict,
    dependencies,
    find_unordered,
    happens_before,
    levels,
    uses_in_order,
)
from rammer_ir.scheduling.memory_plan import find_overlap, plan_offsets
from rammer_ir.scheduling.schedule import Access


@st.composite
def nodes(draw: st.DrawFn) -> list[list[Access]]:
    """What nodes access of two vectors of 6 elements."""

    def access() -> Access:
        low = np.array([[draw(st.integers(0, 5))] for _ in range(draw(st.integers(1, 2)))], np.int64)
        return Access(draw(st.integers(0, 1)), Boxes(low, low + draw(st.integers(0, 3))), draw(st.booleans()))

    return [[access() for _ in range(draw(st.integers(0, 3)))] for _ in range(draw(st.integers(0, 7)))]


@st.composite
def predecessors(draw: st.DrawFn) -> list[list[int]]:
    return [sorted(draw(st.sets(st.integers(0, node - 1)))) if node else [] for node in range(draw(st.integers(1, 7)))]


def conflict(first: list[Access], second: list[Access]) -> bool:
    return any(accesses_conflict(one, other) for one in first for other in second)


@given(nodes())
def test_dependencies_order_every_conflict_and_name_no_more(accesses: list[list[Access]]) -> None:
    direct = dependencies(accesses)
    order = happens_before(direct)
    assert find_unordered(accesses, order) is None
    for j, earlier in enumerate(direct):
        for i in range(j):
            if conflict(accesses[i], accesses[j]):
                assert order[i, j]
        for i in earlier:
            assert conflict(accesses[i], accesses[j])
            fewer = [[node for node in before if (node, k) != (i, j)] for k, before in enumerate(direct)]
            unordered = find_unordered(accesses, happens_before(fewer))
            assert unordered is not None
            assert conflict(accesses[unordered[0]], accesses[unordered[1]])
            assert all(any(a.memory == unordered[2] for a in accesses[node]) for node in unordered[:2])


@given(predecessors())
def test_paths(direct: list[list[int]]) -> None:
    order = happens_before(direct)
    depth = levels(direct)
    count = len(direct)
    for i, j in product(range(count), range(count)):
        assert order[i, j] == any(i == k or order[i, k] for k in direct[j])
        if order[i, j]:
            assert depth[i] < depth[j]
    assert depth == [max((depth[k] + 1 for k in before), default=0) for before in direct]


@st.composite
def uses(draw: st.DrawFn) -> tuple[list[list[int]], NDArray[np.bool_], Integers, Integers]:
    direct = draw(predecessors())
    shape = draw(st.integers(1, 6)), len(direct)
    used = np.array([[draw(st.booleans()) for _ in range(shape[1])] for _ in range(shape[0])], np.bool_)
    first = np.array([[draw(st.integers(0, 2)) for _ in range(shape[1])] for _ in range(shape[0])], np.int64)
    return direct, used, first, first + draw(st.integers(0, 2))


@given(uses())
def test_uses_in_order(case: tuple[list[list[int]], NDArray[np.bool_], Integers, Integers]) -> None:
    direct, used, first, last = case
    order = happens_before(direct)
    parted = uses_in_order(order, used, first, last)
    for a, b in product(range(len(used)), range(len(used))):
        pairs = list(product(np.flatnonzero(used[a]), np.flatnonzero(used[b])))
        expected = all(order[u, v] or (u == v and last[a, u] < first[b, v]) for u, v in pairs)
        assert parted[a, b] == (expected and a != b)


@settings(max_examples=50)
@given(uses(), st.data())
def test_plans_obey_partial_orders(
    case: tuple[list[list[int]], NDArray[np.bool_], Integers, Integers], data: st.DataObject
) -> None:
    direct, used, first, last = case
    parted = uses_in_order(happens_before(direct), used, first, last)
    meets = ~(parted | parted.T)
    sizes = np.array([data.draw(st.integers(0, 2000)) for _ in used], np.int64)
    offsets = plan_offsets(sizes, meets, 256, bound=0)
    assert find_overlap(offsets, sizes, meets) is None
    for a, b in product(range(len(used)), range(len(used))):
        share = max(offsets[a], offsets[b]) < min(offsets[a] + sizes[a], offsets[b] + sizes[b])
        assert a == b or not share or parted[a, b] or parted[b, a]
