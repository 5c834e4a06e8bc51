"""A walk over a graph with the shapes of one run: what is known, what a program computes, and where to cut."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import onnx

from rammer_ir.errors import InvalidInputError
from rammer_ir.frontend.element_types import Array, onnx_of_dtype
from rammer_ir.frontend.folding import fold_node, is_foldable
from rammer_ir.frontend.inference import infer_output_types
from rammer_ir.frontend.limits import checked_bytes
from rammer_ir.frontend.names import quoted
from rammer_ir.frontend.node import NeedsConstantError, OutputType, node_label, unsupported_op
from rammer_ir.frontend.preparation import PreparedModel, live_nodes
from rammer_ir.frontend.registry import find_handler
from rammer_ir.frontend.schemas import normal_domain
from rammer_ir.frontend.subgraphs import names_read
from rammer_ir.frontend.value import Value
from rammer_ir.host_function.registry import is_host_op, run_on_host
from rammer_ir.host_function.values import is_tensor
from rammer_ir.specialisation.arithmetic import evaluate, is_arithmetic
from rammer_ir.specialisation.empties import reduction_of_nothing
from rammer_ir.specialisation.expansion import expand_node
from rammer_ir.specialisation.graph import Graph
from rammer_ir.specialisation.operands import deciding_operands
from rammer_ir.specialisation.plan import (
    Demands,
    LoopDrivenError,
    ParametersNeededError,
    Plan,
    first_output,
    is_driven,
)
from rammer_ir.specialisation.probing import probe_output_types

MOST_PARAMETER_ELEMENTS: Final = 1024
"""An input with more elements is no parameter, unless a node wants to know the input itself."""


class Analysis:
    """
    The walk. Values are typed or known, or *late*: not there before the host has done something.

    `values` has what is typed or known, `given` the names of what is known from values of this run.
    """

    def __init__(
        self, graph: Graph, inputs: Mapping[str, Value], demands: Demands, *, opaque: frozenset[str] = frozenset()
    ) -> None:
        self.graph = graph
        self.demands = demands
        self.values: dict[str, Value] = {name: Value.of_array(name, array) for name, array in graph.constants.items()}
        self.given: set[str] = set(graph.given)
        self.late: set[str] = set()
        self._opaque = opaque
        self._inputs = inputs
        self._nodes: list[onnx.NodeProto] = []
        self._rest: list[onnx.NodeProto] = []
        self._producers: dict[str, onnx.NodeProto] = {}
        for name, value in inputs.items():
            self._set_input(name, value)

    def run(self) -> Plan:
        """
        Walk all nodes.

        Raises ParametersNeededError or LoopDrivenError if it is to be started again; UnsupportedModelError,
        InvalidInputError where the graph cannot be compiled.
        """
        for node in self.graph.nodes:
            self.visit(node)
        return self._plan()

    def opset(self, domain: str = "") -> int:
        return self.graph.opsets.get(normal_domain(domain), 1)

    def visit(self, node: onnx.NodeProto) -> None:
        """Find out what becomes of a node whose inputs have been visited."""
        from rammer_ir.specialisation.control_flow import CONTROL_FLOW

        control = CONTROL_FLOW.get(node.op_type) if not normal_domain(node.domain) else None
        if is_driven(node, self.demands):
            self.defer(node)
        elif control is not None:
            control(self, node)
        elif any(name in self.late for name in names_read(node)):
            self.defer(node)
        elif is_host_op(node) or any(name in self._opaque for name in names_read(node)):
            self._visit_host_node(node)
        else:
            self._visit_tensor_node(node)

    def add_constant(self, name: str, array: Array) -> str:
        """Make a constant of the graph's known; gives its name."""
        self.values[name] = Value.of_array(name, array)
        return name

    def defer(self, node: onnx.NodeProto) -> None:
        """Leave a node to the host, or to a later specialisation."""
        self._rest.append(node)
        self.late.update(name for name in node.output if name)

    def drive(self, node: onnx.NodeProto) -> None:
        """Leave a loop to the host, and start again."""
        self.demands.driven_loops.add(first_output(node))
        raise LoopDrivenError

    def known(self, node: onnx.NodeProto, name: str) -> Array | None:
        """
        The array of a value that a node must know; None if the node is deferred because it is not known yet.

        Raises ParametersNeededError if the value follows from inputs of the graph.
        """
        if name not in self.late:
            value = self._value(node, name)
            if value.constant is not None:
                return value.constant
        self._need(node, [name])
        return None

    def _value(self, node: onnx.NodeProto, name: str) -> Value:
        if name not in self.values:
            raise InvalidInputError(
                f"value {quoted(name)} is used before it is there", location=f"node {quoted(node_label(node))}"
            )
        return self.values[name]

    def _set_input(self, name: str, value: Value) -> None:
        if 0 in value.shape:
            self.values[name] = Value.of_array(name, np.empty(value.shape, value.dtype))
        else:
            self.values[name] = value
            if value.constant is not None:
                self.given.add(name)

    def _visit_host_node(self, node: onnx.NodeProto) -> None:
        names = names_read(node)
        inputs = [self.values.get(name) if name else None for name in node.input]
        if not names or any(name not in self.values or self.values[name].constant is None for name in names):
            self.defer(node)
            return
        results = run_on_host(node, [None if value is None else value.constant for value in inputs])
        if all(is_tensor(result) for result in results):
            self._set_known(node, [np.asarray(result) for result in results])
        else:
            self.defer(node)

    def _visit_tensor_node(self, node: onnx.NodeProto) -> None:
        inputs = [self._value(node, name) if name else None for name in node.input]
        if self._compute(node, inputs):
            return
        types = infer_output_types(node, self.graph.opsets, inputs)
        if self._fold(node, inputs, types):
            return
        wanted = [name for name in dict.fromkeys(node.input) if name in self.demands.known_values]
        if any(output is not None and output.static_shape is None for output in types):
            wanted += deciding_operands(node)
        unknown = [name for name in dict.fromkeys(wanted) if self.values[name].constant is None]
        if unknown:
            self._need(node, unknown)
        elif find_handler(normal_domain(node.domain), node.op_type, self.opset(node.domain)) is None:
            self._expand(node, inputs)
        else:
            self._compile(node, inputs, types)

    def _compute(self, node: onnx.NodeProto, inputs: Sequence[Value | None]) -> bool:
        """Make the node's outputs known by arithmetic: what comes from a run is not for ONNX's evaluator to compute."""
        arrays = [None if value is None else value.constant for value in inputs]
        if not any(name in self.given for name in node.input) and node.op_type != "Range":
            return False
        if any(array is None and value is not None for array, value in zip(arrays, inputs, strict=True)):
            return False
        known = evaluate(node, arrays)
        if known is not None:
            self._set_known(node, known)
        return known is not None

    def _fold(self, node: onnx.NodeProto, inputs: Sequence[Value | None], types: Sequence[OutputType | None]) -> bool:
        """Make the node's outputs known, if they follow from constants of the model or from types."""
        standard = not normal_domain(node.domain)
        if standard and node.op_type in ("Shape", "Size") and inputs[0] is not None:
            self._set_known(node, [_shape_or_size(node, inputs[0])])
            return True
        arrays = [None if value is None else value.constant for value in inputs]
        if any(array is None and value is not None for array, value in zip(arrays, inputs, strict=True)):
            return False
        known: Sequence[Array | None] | None
        nothing = reduction_of_nothing(node, self.opset(), arrays, types)
        if nothing is not None:
            known = [nothing]
        elif any(name in self.given for name in node.input):
            known = None
        elif is_foldable(node, self.graph.opsets, inputs, types):
            known = fold_node(node, self.graph.opsets, inputs)
        else:
            known = None
        if known is None or not _fit(known, types):
            return False
        self._set_known(node, known)
        return True

    def _set_known(self, node: onnx.NodeProto, arrays: Sequence[Array | None]) -> None:
        is_given = any(name in self.given for name in node.input)
        for name, array in zip(node.output, arrays, strict=False):
            if name and array is not None:
                self.graph.loader.reserve(array.nbytes, f"value {quoted(name)}")
                self.values[name] = Value.of_array(name, array)
                if is_given:
                    self.given.add(name)

    def _expand(self, node: onnx.NodeProto, inputs: Sequence[Value | None]) -> None:
        nodes = expand_node(node, self.graph.opsets, inputs)
        if nodes is None:
            raise unsupported_op(node, self.opset(node.domain))
        for inner in nodes:
            self.visit(inner)

    def _compile(
        self, node: onnx.NodeProto, inputs: Sequence[Value | None], types: Sequence[OutputType | None]
    ) -> None:
        """Leave the node to the program; outputs without elements are known, whatever they are computed from."""
        if any(output is not None and output.static_shape is None for output in types):
            try:
                types = probe_output_types(node, self.graph, [item for item in inputs if item is not None], self.given)
            except NeedsConstantError as error:
                self.demands.known_values.add(error.value)
                self._need(node, [error.value])
                return
        kept = onnx.NodeProto()
        kept.CopyFrom(node)
        for position, (name, output) in enumerate(zip(node.output, types, strict=True)):
            shape = None if output is None else output.static_shape
            if not name or output is None:
                continue
            if shape is None:
                raise unsupported_op(node, self.opset(node.domain), "has an output whose shape is not known")
            checked_bytes(shape, output.dtype.itemsize, f"value {quoted(name)}")
            if 0 in shape:
                self.values[name] = Value.of_array(name, np.empty(shape, output.dtype))
                # A name that nothing reads: the op may not allow that the output is left out.
                kept.output[position] = f"{name}/nothing"
            else:
                self.values[name] = Value(name, output.dtype, shape)
                self._producers[name] = node
        if any(name in self._producers for name in kept.output):
            self._nodes.append(kept)

    def _need(self, node: onnx.NodeProto, names: Sequence[str]) -> None:
        """
        Defer a node that must know these values: the graph is cut behind them.

        Raises ParametersNeededError if all of them follow by shape arithmetic from small inputs of the graph.
        """
        self.demands.known_values.update(names)
        found: set[str] = set()
        for name in names:
            sources = self._sources(name)
            if sources is None:
                self.defer(node)
                return
            found |= sources
        if not found:
            # It follows from what is known, by an op that only a program computes.
            self.defer(node)
            return
        raise ParametersNeededError(frozenset(found))

    def _sources(self, name: str) -> set[str] | None:
        """The graph's inputs that a value follows from; None if it takes more than arithmetic on small inputs."""
        if name in self._inputs and name not in self._opaque:
            return {name}
        found: set[str] = set()
        pending, seen = [name], {name}
        while pending:
            current = pending.pop()
            if current in self.late or current in self._opaque:
                return None
            value = self.values[current]
            if value.constant is not None:
                continue
            if current in self._inputs:
                if np.prod(value.shape, dtype=np.float64) > MOST_PARAMETER_ELEMENTS:
                    return None
                found.add(current)
                continue
            producer = self._producers[current]
            if not is_arithmetic(producer):
                return None
            new = [item for item in producer.input if item and item not in seen]
            seen.update(new)
            pending += new
        return found

    def _plan(self) -> Plan:
        rest = live_nodes(self._rest, self.graph.outputs)
        # What the host takes needs nodes of the program, but those of the rest do not need each other's outputs.
        taken = {name for node in rest for name in names_read(node)} | set(self.graph.outputs)
        computed = [name for name in dict.fromkeys((*self.graph.outputs, *sorted(taken))) if name in self._producers]
        known = {name: self.values[name].constant for name in taken if name in self.values}
        arrays = {name: array for name, array in known.items() if array is not None}
        return Plan(
            program=self._program(computed) if computed else None,
            known=arrays,
            given=frozenset(self.given & arrays.keys()),
            rest=rest,
        )

    def _program(self, outputs: Sequence[str]) -> PreparedModel:
        nodes = live_nodes(self._nodes, outputs)
        read = dict.fromkeys(name for node in nodes for name in names_read(node))
        constants = {name: self.values[name].constant for name in read if name in self.values}
        arrays = {name: array for name, array in constants.items() if array is not None}
        return PreparedModel(
            nodes=nodes,
            inputs=[_value_info(self._inputs[name]) for name in read if name in self._inputs and name not in arrays],
            outputs=outputs,
            constants=arrays,
            opsets=dict(self.graph.opsets),
            loader=self.graph.loader,
            given=frozenset(self.given & arrays.keys()),
        )


def _value_info(value: Value) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(value.name, onnx_of_dtype(value.dtype), value.shape)


def _shape_or_size(node: onnx.NodeProto, value: Value) -> Array:
    if node.op_type == "Size":
        return np.array(int(np.prod(value.shape, dtype=np.int64)), np.int64)
    attributes = {item.name: item.i for item in node.attribute}
    return np.array(value.shape[attributes.get("start", 0) : attributes.get("end")], np.int64)


def _fit(arrays: Sequence[Array | None], types: Sequence[OutputType | None]) -> bool:
    """Whether the arrays have the types that the op should give."""
    return all(
        array is None or output is None or (array.dtype == output.dtype and output.static_shape in (None, array.shape))
        for array, output in zip(arrays, types, strict=False)
    )
