"""What a specialisation finds: the program of one part of a graph, and what stands behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import onnx

from rammer_ir.frontend.element_types import Array
from rammer_ir.frontend.preparation import PreparedModel


@dataclass(frozen=True)
class Plan:
    """
    A graph specialised to shapes and values.

    `program` is the static part to compile, None if there is nothing to compute; `known` are arrays that are known
    beforehand and needed by an output or by `rest`, `given` those of them that come from values of a run. `rest` are
    the nodes that the host runs, or whose shapes are not known before something else has run.
    """

    program: PreparedModel | None
    known: Mapping[str, Array]
    given: frozenset[str]
    rest: Sequence[onnx.NodeProto]


@dataclass
class Demands:
    """
    What turned out to be needed while parts of a model were specialised, so that it is found out once.

    `known_values` are values that are compiled only where they are known; `driven_loops` are the first outputs of loops
    that are not unrolled: the host runs their bodies step by step.
    """

    known_values: set[str] = field(default_factory=set[str])
    driven_loops: set[str] = field(default_factory=set[str])


class ParametersNeededError(Exception):
    """The values of these inputs of the graph must be known: the specialisation starts again with them."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(", ".join(sorted(names)))
        self.names = names


class LoopDrivenError(Exception):
    """The loop turned out not to be one to unroll: the specialisation starts again."""


def first_output(node: onnx.NodeProto) -> str:
    """What tells a node from others: the name of the first output that it has."""
    return next((name for name in node.output if name), "")


def is_driven(node: onnx.NodeProto, demands: Demands) -> bool:
    """Whether the host runs the node's body step by step."""
    return node.op_type == "SequenceMap" or first_output(node) in demands.driven_loops
