"""The part of a model that is specialised: the model itself, what stands behind a cut, or a loop's body."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import onnx

from rammer_ir.frontend.element_types import Array
from rammer_ir.frontend.subgraphs import names_read
from rammer_ir.frontend.tensors import TensorLoader


@dataclass(frozen=True)
class Graph:
    """
    Nodes in an order of execution, what they take and what they give.

    `constants` are known arrays by name, `opsets` the version of each domain; `loader` reads tensors of subgraphs.
    `given` are the constants that come from values of a run, which are known to one specialisation alone.
    """

    name: str
    nodes: Sequence[onnx.NodeProto]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Array]
    opsets: Mapping[str, int]
    loader: TensorLoader
    given: frozenset[str] = field(default_factory=frozenset[str])


def part_of(
    graph: Graph, nodes: Sequence[onnx.NodeProto], constants: Mapping[str, Array], given: AbstractSet[str]
) -> Graph:
    """
    The part of a graph that `nodes` are: it takes what they read from elsewhere, and gives the graph's outputs.

    `constants` are those of the graph and what was found to be known; `given` those of them that come from a run.
    """
    own = {name for node in nodes for name in node.output if name}
    read = dict.fromkeys(name for node in nodes for name in names_read(node) if name not in own)
    outputs = tuple(name for name in graph.outputs if name in own)
    used = {name: constants[name] for name in read if name in constants}
    inputs = tuple(name for name in read if name not in used)
    return Graph(graph.name, nodes, inputs, outputs, used, graph.opsets, graph.loader, frozenset(given & used.keys()))
