"""
From a model's graph to the sequence of states that a pipeline can be cut at.

A state is a set of layers that holds the producers of each of its layers: what has been computed when the pipeline is
cut there. It is named by its last layers, an antichain of the graph. The states are ordered by PipeDream's antichain
graph (Narayanan et al., SOSP 2019), which HPGO took over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rammer_ir.planner.profile import Layer, Profile

Floats = NDArray[np.float64]

MOST_STATES = 2000
"""
Graphs of many parallel branches have a number of states that is exponential in the branches. Where there are more than
these, only the cuts of one order of the layers are states.
"""


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """
    What a model has computed at each of its L states, summed from the model's start; arrays of shape [L].

    `compute` is forward plus backward seconds, `forward` its forward part, `activations` and `parameters` are bytes.
    `outputs` is the bytes that a cut at the state has to send. `precedes[j, k]` says that state k comes before state
    j on a path; states of parallel branches are not ordered by it.
    """

    names: tuple[str, ...]
    compute: Floats
    forward: Floats
    activations: Floats
    parameters: Floats
    outputs: Floats
    precedes: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.names)

    def scaled(self, factor: float) -> "States":
        """The states at another batch size, `factor` times as large: all but the parameters grow with it."""
        return replace(
            self,
            compute=self.compute * factor,
            forward=self.forward * factor,
            activations=self.activations * factor,
            outputs=self.outputs * factor,
        )


def model_states(profile: Profile) -> States:
    """The states of a profiled model, in pipeline order; at most MOST_STATES, or a state for each layer."""
    graph = _Graph(*_without_inputs(profile))
    return _sums(graph, _cuts(graph))


def state_layers(profile: Profile) -> list[frozenset[str]]:
    """The names of the layers that have been computed at each state of `model_states`."""
    graph = _Graph(*_without_inputs(profile))
    return [
        frozenset(layer.name for number, layer in enumerate(graph.layers) if closure >> number & 1)
        for closure in _cuts(graph).closures
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Cuts:
    """
    The states of a graph, as sets of layers.

    `last` is the layer that names a state, `closures` what it has computed, `live` the layers whose results live there.
    """

    last: Sequence[int]
    closures: Sequence[int]
    live: Sequence[int]
    precedes: NDArray[np.bool_]


def _cuts(graph: "_Graph") -> _Cuts:
    found = _antichain_graph(graph)
    if found is None:
        return _cuts_of_order(graph)
    antichains, successors = found
    order = _topological_order([graph.layers[antichain[0]].description for antichain in antichains], successors)
    return _Cuts(
        [antichains[index][0] for index in order],
        [graph.closure(antichains[index]) for index in order],
        [_mask(graph.augmented(antichains[index])) for index in order],
        _precedes(order, successors),
    )


def _cuts_of_order(graph: "_Graph") -> _Cuts:
    """A state for each layer: what one order of the layers has computed once it is done."""
    done = live = 0
    waiting = [len(set(consumers)) for consumers in graph.consumers]
    closures: list[int] = []
    outputs: list[int] = []
    for node in graph.order:
        done |= 1 << node
        live |= 1 << node if waiting[node] else 0
        for producer in set(graph.producers[node]):
            waiting[producer] -= 1
            if not waiting[producer]:
                live &= ~(1 << producer)
        closures.append(done)
        outputs.append(live | 1 << node)
    precedes = np.tri(len(graph.order), k=-1, dtype=np.bool_)
    return _Cuts(graph.order, closures, outputs, precedes)


def _sums(graph: "_Graph", cuts: _Cuts) -> States:
    values = np.array(
        [[layer.forward + layer.backward, layer.forward, layer.activation, layer.parameters] for layer in graph.layers]
    )
    sums = _matrix(cuts.closures, len(values)).astype(np.float64) @ values
    outputs = _matrix(cuts.live, len(values)).astype(np.float64) @ values[:, 2]
    names = tuple(graph.layers[node].description for node in cuts.last)
    return States(names, sums[:, 0], sums[:, 1], sums[:, 2], sums[:, 3], outputs, cuts.precedes)


def _without_inputs(profile: Profile) -> tuple[list[Layer], list[tuple[int, int]]]:
    """
    The graph less what is no layer: inputs, and results that are taken apart but not used.

    A model of inputs alone keeps them.
    """
    sources = set(range(len(profile.layers))) - {consumer for _, consumer in profile.edges}
    dropped = {node for node in sources if profile.layers[node].description.startswith("Input")}
    producers = {producer for producer, _ in profile.edges if producer not in dropped}
    dropped |= {
        node
        for node, layer in enumerate(profile.layers)
        if node not in producers and layer.description.startswith("__getitem__")
    }
    kept = [node for node in range(len(profile.layers)) if node not in dropped] or list(range(len(profile.layers)))
    position = {node: index for index, node in enumerate(kept)}
    edges = [(position[a], position[b]) for a, b in profile.edges if a in position and b in position]
    return [profile.layers[node] for node in kept], edges


class _Graph:
    """A graph of layers with sets of layers as bit masks: layer i is bit i."""

    def __init__(self, layers: Sequence[Layer], edges: Sequence[tuple[int, int]]):
        self.layers = layers
        self.consumers: list[list[int]] = [[] for _ in layers]
        self.producers: list[list[int]] = [[] for _ in layers]
        for producer, consumer in edges:
            self.consumers[producer].append(consumer)
            self.producers[consumer].append(producer)
        self.source = next(node for node in range(len(layers)) if not self.producers[node])
        self.order = _topological_order(["" for _ in layers], self.consumers)
        self.ancestors = _reachable(self.producers, self.order)
        self.descendants = _reachable(self.consumers, self.order[::-1])
        self.shared = self._shared()

    def _shared(self) -> list[list[int]]:
        """
        For each layer the ancestors whose results are used elsewhere too.

        A cut behind the layer has to send those as well.
        """
        size = len(self.layers)
        ancestors = _matrix(self.ancestors, size)
        consumers = np.zeros((size, size), np.float32)
        for producer, found in enumerate(self.consumers):
            consumers[found, producer] = 1
        # Of each layer's (row) ancestors (column), the consumers that are ancestors too or the layer itself.
        inside = (ancestors | np.eye(size, dtype=np.bool_)).astype(np.float32) @ consumers
        shared = ancestors & (inside < consumers.sum(axis=0))
        return [np.flatnonzero(row).tolist() for row in shared]

    def augmented(self, antichain: Sequence[int]) -> list[int]:
        """The layers whose results live at a cut behind the antichain."""
        shared = {node for end in antichain for node in self.shared[end]}
        return [*sorted(shared.difference(antichain)), *antichain]

    def closure(self, antichain: Sequence[int]) -> int:
        """The antichain and all that it depends on."""
        closure = _mask(antichain)
        for node in antichain:
            closure |= self.ancestors[node]
        return closure

    def next_antichains(self, antichain: Sequence[int]) -> list[list[int]]:
        """The antichains that are one layer further."""
        augmented = self.augmented(antichain)
        live = _mask(augmented)
        found: list[list[int]] = []
        for node in augmented:
            for consumer in self.consumers[node]:
                if consumer in antichain or self.descendants[consumer] & live:
                    continue
                # What the consumer depends on is implied by it; the others are still ends.
                implied = self.ancestors[consumer]
                front = [] if node in antichain else [consumer]
                rest = [
                    consumer if other == node else other
                    for other in antichain
                    if other == node or not implied >> other & 1
                ]
                found.append(front + rest)
        return found


def _antichain_graph(graph: _Graph) -> tuple[list[list[int]], list[list[int]]] | None:
    """
    All antichains from the graph's first source on, and for each the positions of those that follow it.

    None where there are more than MOST_STATES.
    """
    antichains = [[graph.source]]
    position = {1 << graph.source: 0}
    successors: list[list[int]] = []
    while len(successors) < len(antichains):
        following: list[int] = []
        for antichain in graph.next_antichains(antichains[len(successors)]):
            mask = _mask(antichain)
            if mask not in position:
                position[mask] = len(antichains)
                antichains.append(antichain)
            following.append(position[mask])
        successors.append(list(dict.fromkeys(following)))
        if len(antichains) > MOST_STATES:
            return None
    return antichains, successors


def _topological_order(names: Sequence[str], successors: Sequence[Sequence[int]]) -> list[int]:
    """Depth first, by name, as PipeDream's sort; iterative, because the depth is the graph's."""
    done = [False] * len(names)
    finished: list[int] = []
    for root in sorted(range(len(names)), key=lambda node: names[node]):
        stack = [(root, False)]
        while stack:
            node, complete = stack.pop()
            if complete:
                finished.append(node)
            elif not done[node]:
                done[node] = True
                stack.append((node, True))
                stack.extend((follower, False) for follower in sorted(successors[node], key=lambda n: names[n])[::-1])
    return finished[::-1]


def _reachable(neighbours: Sequence[Sequence[int]], order: Sequence[int]) -> list[int]:
    """For each node the mask of nodes that its neighbours lead to; `order` has neighbours first."""
    masks = [0] * len(neighbours)
    for node in order:
        for neighbour in neighbours[node]:
            masks[node] |= masks[neighbour] | 1 << neighbour
    return masks


def _precedes(order: Sequence[int], successors: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
    position = {node: index for index, node in enumerate(order)}
    precedes = np.zeros((len(order), len(order)), np.bool_)
    for index, node in enumerate(order):
        for follower in successors[node]:
            row = precedes[position[follower]]
            row |= precedes[index]
            row[index] = True
    return precedes


def _mask(nodes: Sequence[int]) -> int:
    mask = 0
    for node in nodes:
        mask |= 1 << node
    return mask


def _matrix(masks: Sequence[int], width: int) -> NDArray[np.bool_]:
    """Masks as rows of booleans, shape [masks, width]."""
    size = (width + 7) // 8
    packed = np.frombuffer(b"".join(mask.to_bytes(size, "little") for mask in masks), np.uint8)
    return np.unpackbits(packed.reshape(len(masks), size), axis=1, count=width, bitorder="little").astype(np.bool_)
