"""What has to come after what: from accesses to a partial order, and what follows from one."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rammer_ir.scheduling.boxes import Boxes, Integers, concatenate, overlapping_pairs
from rammer_ir.scheduling.schedule import Access

Predecessors = Sequence[Sequence[int]]
"""For each node, the nodes it comes directly after; all have smaller numbers."""


def accesses_conflict(first: Access, second: Access) -> bool:
    """Whether the two touch a common element, and one writes."""
    if first.memory != second.memory or not (first.write or second.write):
        return False
    if next(overlapping_pairs(first.boxes.hull(), second.boxes.hull()), None) is None:
        return False
    return next(overlapping_pairs(first.boxes, second.boxes), None) is not None


def dependencies(nodes: Sequence[Sequence[Access]]) -> list[list[int]]:
    """
    The fewest predecessors that order every two nodes whose accesses conflict, the earlier one in text first.

    Nearest candidates are looked at first, and none that comes before already is looked at: no predecessor follows
    from the others.
    """
    candidates: list[set[int]] = [set() for _ in nodes]
    for i, j in _candidates(nodes):
        candidates[j].add(i)
    before = [0] * len(nodes)
    """For each node, all nodes before it, as the bits of a number."""
    direct: list[list[int]] = []
    for j, earlier in enumerate(candidates):
        chosen: list[int] = []
        for i in sorted(earlier, reverse=True):
            if not before[j] >> i & 1 and _nodes_conflict(nodes[i], nodes[j]):
                chosen.append(i)
                before[j] |= before[i] | 1 << i
        direct.append(chosen[::-1])
    return direct


def _candidates(nodes: Sequence[Sequence[Access]]) -> Iterator[tuple[int, int]]:
    """Pairs of nodes, the earlier one first, that conflict as far as the hulls of their accesses tell."""
    by_memory: dict[int, list[tuple[int, Boxes, bool]]] = {}
    for node, accesses in enumerate(nodes):
        for access in accesses:
            hull = access.boxes.hull()
            if len(hull):
                by_memory.setdefault(access.memory, []).append((node, hull, access.write))
    for entries in by_memory.values():
        numbers = np.array([node for node, _, _ in entries])
        hulls = concatenate([hull for _, hull, _ in entries])
        writes = np.array([write for _, _, write in entries])
        for i, j in overlapping_pairs(hulls, hulls):
            kept = (numbers[i] < numbers[j]) & (writes[i] | writes[j])
            codes = np.unique(numbers[i[kept]] * len(nodes) + numbers[j[kept]])
            yield from zip((codes // len(nodes)).tolist(), (codes % len(nodes)).tolist(), strict=True)


def find_unordered(nodes: Sequence[Sequence[Access]], order: NDArray[np.bool_]) -> tuple[int, int, int] | None:
    """Two nodes, and a memory in which they conflict, that the order [n, n] has neither before the other."""
    for i, j in _candidates(nodes):
        if not (order[i, j] or order[j, i]):
            for one in nodes[i]:
                if any(accesses_conflict(one, other) for other in nodes[j]):
                    return i, j, one.memory
    return None


def _nodes_conflict(first: Sequence[Access], second: Sequence[Access]) -> bool:
    return any(accesses_conflict(one, other) for one in first for other in second)


def levels(predecessors: Predecessors) -> list[int]:
    """For each node, the length of the longest chain before it: the earliest wave it may be in."""
    found: list[int] = []
    for earlier in predecessors:
        found.append(max((found[node] + 1 for node in earlier), default=0))
    return found


def happens_before(predecessors: Predecessors) -> NDArray[np.bool_]:
    """Which nodes come before which; entry [i, j] of shape [n, n] says whether node i comes before node j."""
    after = np.zeros((len(predecessors), len(predecessors)), np.bool_)
    for node, earlier in enumerate(predecessors):
        for other in earlier:
            after[node] |= after[other]
            after[node, other] = True
    return after.T


def uses_in_order(
    order: NDArray[np.bool_], uses: NDArray[np.bool_], first: Integers, last: Integers
) -> NDArray[np.bool_]:
    """
    Which of several things are over before which others begin; entry [a, b] of shape [things, things].

    `order` [nodes, nodes] says which nodes come before which, and `uses` [things, nodes] which of them use a thing.
    Inside one node, a thing is in use from time `first` to time `last` of the node's, both included and of the shape of
    `uses`.
    """
    apart = order.copy()
    np.fill_diagonal(apart, val=True)
    used = uses.astype(np.float32)
    # A product of counts, in floating point because that is fast.
    meets = used @ (~apart).astype(np.float32) @ used.T > 0
    for node in np.flatnonzero(uses.sum(axis=0) > 1):
        users = np.flatnonzero(uses[:, node])
        meets[np.ix_(users, users)] |= last[users, node][:, None] >= first[users, node][None, :]
    np.fill_diagonal(meets, val=True)
    return ~meets
