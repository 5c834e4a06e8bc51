"""A graph that is specialised to what it is given, run after run."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from rammer_ir.errors import UnsupportedModelError
from rammer_ir.frontend.names import quoted
from rammer_ir.frontend.node import NeedsConstantError, node_label
from rammer_ir.frontend.subgraphs import names_read
from rammer_ir.frontend.value import Value
from rammer_ir.host_function.registry import is_host_op, run_on_host
from rammer_ir.host_function.values import HostValue, is_tensor
from rammer_ir.program import Program
from rammer_ir.specialisation.analysis import Analysis
from rammer_ir.specialisation.control_flow import CONTROL_FLOW
from rammer_ir.specialisation.driven_loops import body_graph, run_driven
from rammer_ir.specialisation.graph import Graph, part_of
from rammer_ir.specialisation.plan import LoopDrivenError, ParametersNeededError, Plan, first_output, is_driven
from rammer_ir.specialisation.session import Session

_Key = tuple[Any, ...]


@dataclass
class _Variant:
    """A specialisation: its plan, its program, and the parts of the graph that stand behind it."""

    plan: Plan
    program: Program | None
    parts: "dict[tuple[str, ...], AdaptiveGraph]" = field(default_factory=dict[tuple[str, ...], "AdaptiveGraph"])

    def close(self) -> None:
        if self.program is not None:
            self.program.close()
        for part in self.parts.values():
            part.close()


class AdaptiveGraph:
    """
    A graph with its variants: one for each combination of shapes, and of the values of its parameters.

    At most `session.most_variants` are kept; the one that was not used for the longest time goes first.
    """

    def __init__(self, graph: Graph, session: Session) -> None:
        self.graph = graph
        self._session = session
        self._parameters: set[str] = set()
        self._variants: OrderedDict[_Key, _Variant] = OrderedDict()
        self._bodies: dict[str, AdaptiveGraph] = {}

    @property
    def variants(self) -> int:
        """How many variants of the graph are kept."""
        return len(self._variants)

    def run(self, values: Mapping[str, HostValue]) -> dict[str, HostValue]:
        """
        The graph's outputs for these inputs; compiles where no variant fits.

        Raises UnsupportedModelError for what can neither be compiled nor run on the host, InvalidInputError where
        values do not fit an op.
        """
        variant = self.specialise(values)
        known: dict[str, HostValue] = {**variant.plan.known, **values}
        if variant.program is not None:
            wanted = {binding.name: known[binding.name] for binding in variant.program.inputs}
            known |= variant.program.run(wanted)
        remaining = [node for node in variant.plan.rest if not self._run_on_host(node, known)]
        if remaining:
            part = self._part(variant, remaining)
            known |= part.run({name: known[name] for name in part.graph.inputs})
        constants = self.graph.constants
        return {name: known[name] if name in known else constants[name] for name in self.graph.outputs}

    def specialise(self, values: Mapping[str, HostValue]) -> _Variant:
        """The variant for these inputs, compiled if there is none; values of parameters alone are looked at."""
        while True:
            key = self._key(values)
            if key in self._variants:
                self._variants.move_to_end(key)
                return self._variants[key]
            try:
                variant = self._compiled(values)
            except ParametersNeededError as needed:
                if needed.names <= self._parameters:
                    raise UnsupportedModelError(
                        f"cannot be specialised to {needed}", location=self.graph.name
                    ) from needed
                self._parameters |= needed.names
                self.close()
            except LoopDrivenError:
                continue
            except NeedsConstantError as error:
                if error.value in self._session.demands.known_values:
                    raise
                self._session.demands.known_values.add(error.value)
            else:
                self._keep(key, variant)
                return variant

    def close(self) -> None:
        """Free all variants."""
        while self._variants:
            self._variants.popitem()[1].close()

    def _keep(self, key: _Key, variant: _Variant) -> None:
        self._variants[key] = variant
        while len(self._variants) > self._session.most_variants:
            self._variants.popitem(last=False)[1].close()

    def _key(self, values: Mapping[str, HostValue]) -> _Key:
        return tuple(self._key_of(name, values[name]) for name in self.graph.inputs)

    def _key_of(self, name: str, value: HostValue) -> _Key:
        if not is_tensor(value):
            return (type(value).__name__,)
        form = (value.shape, value.dtype.name)
        return (*form, value.tobytes()) if name in self._parameters else form

    def _compiled(self, values: Mapping[str, HostValue]) -> _Variant:
        opaque = frozenset(name for name in self.graph.inputs if not is_tensor(values[name]))
        typed = {name: self._value(name, values[name]) for name in self.graph.inputs if name not in opaque}
        with np.errstate(all="ignore"):
            plan = Analysis(self.graph, typed, self._session.demands, opaque=opaque).run()
            program = None if plan.program is None else self._session.make(plan.program, self.graph.name)
        return _Variant(plan, program)

    def _value(self, name: str, value: HostValue) -> Value:
        array = np.asarray(value)
        if name in self._parameters:
            return Value.of_array(name, array.copy())
        return Value(name, array.dtype, array.shape)

    def _run_on_host(self, node: onnx.NodeProto, known: dict[str, HostValue]) -> bool:
        """Run a node that is the host's and whose inputs are there; whether it was."""
        names = names_read(node)
        if any(name not in known for name in names):
            return False
        if is_driven(node, self._session.demands):
            results: Sequence[HostValue] = run_driven(node, known, self._body(node))
        elif node.op_type in CONTROL_FLOW:
            return False
        elif is_host_op(node) or not all(is_tensor(known[name]) for name in names):
            results = run_on_host(node, [known[name] if name else None for name in node.input])
        else:
            return False
        self._session.host_ops.add(node.op_type)
        known |= {name: value for name, value in zip(node.output, results, strict=False) if name}
        return True

    def _body(self, node: onnx.NodeProto) -> "AdaptiveGraph":
        """The graph in a loop, with variants of its own; it also takes what it reads from outside."""
        name = first_output(node)
        if name not in self._bodies:
            self._bodies[name] = AdaptiveGraph(body_graph(node, self.graph), self._session)
        return self._bodies[name]

    def _part(self, variant: _Variant, nodes: Sequence[onnx.NodeProto]) -> "AdaptiveGraph":
        key = tuple(name for node in nodes for name in node.output)
        if key not in variant.parts:
            constants = {**self.graph.constants, **variant.plan.known}
            graph = part_of(self.graph, nodes, constants, self.graph.given | variant.plan.given)
            if len(nodes) == len(self.graph.nodes) and set(graph.inputs) >= set(self.graph.inputs):
                raise UnsupportedModelError(
                    "cannot be compiled for what it is given", location=f"node {quoted(node_label(nodes[0]))}"
                )
            variant.parts[key] = AdaptiveGraph(graph, self._session)
        return variant.parts[key]
