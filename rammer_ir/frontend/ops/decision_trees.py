"""Ensembles of decision trees, as tables of nodes that each row of the input walks down."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise, takewhile
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from rammer_ir.frontend.node import Node

_DEEPEST: Final = 256
"""Every level is code."""


class Mode(IntEnum):
    """How a node compares a feature with its number."""

    LESS_OR_EQUAL = 0
    LESS = 1
    GREATER_OR_EQUAL = 2
    GREATER = 3
    EQUAL = 4
    NOT_EQUAL = 5
    MEMBER = 6


@dataclass
class TreeTable:
    """
    The nodes of all trees, inner ones and leaves.

    A node goes on to `if_true` or `if_false`; a leaf goes on to itself, so that a walk may take more steps than its
    tree has levels: `depth` is what the deepest takes.
    """

    features: list[int] = field(default_factory=list[int])
    numbers: list[float] = field(default_factory=list[float])
    modes: list[int] = field(default_factory=list[int])
    missing: list[bool] = field(default_factory=list[bool])
    if_true: list[int] = field(default_factory=list[int])
    if_false: list[int] = field(default_factory=list[int])
    targets: list[int] = field(default_factory=list[int])
    weights: list[float] = field(default_factory=list[float])
    roots: list[int] = field(default_factory=list[int])
    depth: int = 0

    def add(self, feature: int, number: float, mode: Mode, *, missing: bool) -> int:
        """An inner node, whose ways are set later; gives its number."""
        self.features.append(feature)
        self.numbers.append(number)
        self.modes.append(mode)
        self.missing.append(missing)
        self.if_true.append(-1)
        self.if_false.append(-1)
        self.targets.append(0)
        self.weights.append(0.0)
        return len(self.features) - 1

    def add_leaf(self, target: int, weight: float) -> int:
        number = self.add(0, 0.0, Mode.LESS_OR_EQUAL, missing=False)
        self.if_true[number] = self.if_false[number] = number
        self.targets[number], self.weights[number] = target, weight
        return number


@dataclass(frozen=True)
class _Attributes:
    """A TreeEnsemble node's lists, one item a node, a leaf or a tree."""

    features: Sequence[int]
    splits: Sequence[float]
    modes: Sequence[int]
    true_nodes: Sequence[int]
    false_nodes: Sequence[int]
    true_leaves: Sequence[int]
    false_leaves: Sequence[int]
    missing: Sequence[int]
    targets: Sequence[int]
    weights: Sequence[float]
    roots: Sequence[int]
    members: Sequence[Sequence[float]]


def read_trees(node: Node) -> TreeTable:
    """The table of a TreeEnsemble node's attributes; raises UnsupportedModelError where they do not go together."""
    attributes = _read_attributes(node)
    members = iter(attributes.members)
    table = TreeTable()
    try:
        for root in attributes.roots:
            is_leaf = bool(
                attributes.true_leaves[root]
                and attributes.false_leaves[root]
                and attributes.true_nodes[root] == attributes.false_nodes[root]
            )
            number = attributes.true_nodes[root] if is_leaf else root
            table.roots.append(_add_tree(table, attributes, members, number, is_leaf=is_leaf))
    except (IndexError, StopIteration, ValueError) as error:
        raise node.error("has trees that do not go together with its lists of nodes and leaves") from error
    if table.depth > _DEEPEST:
        raise node.error(f"has a tree of {table.depth} levels; the most are {_DEEPEST}")
    return table


def _add_tree(
    table: TreeTable, attributes: _Attributes, members: Iterator[Sequence[float]], root: int, *, is_leaf: bool
) -> int:
    """Adds a tree's nodes, the true branch of each before its false one, as the members of sets are in order."""
    top: list[int] = [0]
    pending: list[tuple[int, bool, list[int], list[int], int]] = [(root, is_leaf, top, [0], 0)]
    seen: set[int] = set()
    while pending:
        source, leaf, ways, places, depth = pending.pop()
        table.depth = max(table.depth, depth)
        if leaf:
            number = table.add_leaf(attributes.targets[source], attributes.weights[source])
            for place in places:
                ways[place] = number
            continue
        if source in seen:
            raise ValueError("a node that stands in a tree twice")
        seen.add(source)
        mode = Mode(attributes.modes[source])
        numbers = next(members) if mode is Mode.MEMBER else [attributes.splits[source]]
        chain = [
            table.add(
                attributes.features[source],
                number,
                Mode.EQUAL if mode is Mode.MEMBER else mode,
                missing=bool(attributes.missing[source]),
            )
            for number in numbers
        ]
        if not chain:
            raise ValueError("a set without members")
        for place in places:
            ways[place] = chain[0]
        for earlier, later in pairwise(chain):
            table.if_false[earlier] = later
        depth += len(chain)
        pending.append(
            (attributes.false_nodes[source], bool(attributes.false_leaves[source]), table.if_false, chain[-1:], depth)
        )
        pending.append(
            (attributes.true_nodes[source], bool(attributes.true_leaves[source]), table.if_true, chain, depth)
        )
    return top[0]


def _read_attributes(node: Node) -> _Attributes:
    features = _integers(node, "nodes_featureids")
    members = _floats(node, "membership_values")
    return _Attributes(
        features,
        _floats(node, "nodes_splits").tolist(),
        _floats(node, "nodes_modes").astype(np.int64).tolist(),
        _integers(node, "nodes_truenodeids"),
        _integers(node, "nodes_falsenodeids"),
        _integers(node, "nodes_trueleafs"),
        _integers(node, "nodes_falseleafs"),
        node.integers("nodes_missing_value_tracks_true") or [0] * len(features),
        _integers(node, "leaf_targetids"),
        _floats(node, "leaf_weights").tolist(),
        _integers(node, "tree_roots"),
        _sets(members),
    )


def _sets(members: NDArray[np.float64]) -> list[list[float]]:
    """The members of each set; each list ends with a NaN."""
    remaining = iter(members.tolist())
    count = int(np.isnan(members).sum())
    return [list(takewhile(lambda member: member == member, remaining)) for _ in range(count)]


def _integers(node: Node, name: str) -> Sequence[int]:
    items = node.integers(name)
    if items is None:
        raise node.error(f"lacks {name}")
    return items


def _floats(node: Node, name: str) -> NDArray[np.float64]:
    tensor = node.tensor(name)
    if tensor is None:
        return np.zeros(0)
    return onnx.numpy_helper.to_array(tensor).astype(np.float64).ravel()
