"""A walk over a graph with the shapes of one run: what is known, what a program computes, and where to cut."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from rammer_ir.errors import InvalidInputError
from rammer_ir.frontend.element_types import Array
from rammer_ir.frontend.folding import fold_node, is_foldable
from rammer_ir.frontend.inference import infer_output_types
from rammer_ir.frontend.limits import checked_bytes
from rammer_ir.frontend.names import quoted
from rammer_ir.frontend.node import NeedsConstantError, OutputType, node_label, unsupported_op
from rammer_ir.frontend.preparation import live_nodes
from rammer_ir.frontend.registry import find_handler
from rammer_ir.frontend.schemas import normal_domain
from rammer_ir.frontend.subgraphs import names_read
from rammer_ir.frontend.value import Value
from rammer_ir.host_function.registry import is_host_op, run_on_host
from rammer_ir.host_function.values import is_tensor
from rammer_ir.specialisation.arithmetic import evaluate
from rammer_ir.specialisation.empties import reduction_of_nothing
from rammer_ir.specialisation.expansion import expand_node
from rammer_ir.specialisation.graph import Graph
from rammer_ir.specialisation.operands import deciding_operands
from rammer_ir.specialisation.parameters import sources_of
from rammer_ir.specialisation.plan import (
    Demands,
    LoopDrivenError,
    ParametersNeededError,
    Plan,
    first_output,
    is_driven,
)
from rammer_ir.specialisation.probing import probe_output_types
from rammer_ir.specialisation.static_part import have_types, known_arrays, shape_or_size, static_part


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
            self._set_known(node, [shape_or_size(node, inputs[0])])
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
        if known is None or not have_types(known, types):
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
            sources = sources_of(name, self._inputs.keys(), self.values, self._producers)
            if sources is None:
                self.defer(node)
                return
            found |= sources
        if not found:
            # It follows from what is known, by an op that only a program computes.
            self.defer(node)
            return
        raise ParametersNeededError(frozenset(found))

    def _plan(self) -> Plan:
        rest = live_nodes(self._rest, self.graph.outputs)
        # What the host takes needs nodes of the program, but those of the rest do not need each other's outputs.
        taken = {name for node in rest for name in names_read(node)} | set(self.graph.outputs)
        computed = [name for name in dict.fromkeys((*self.graph.outputs, *sorted(taken))) if name in self._producers]
        arrays = known_arrays(taken, self.values)
        inputs = self._inputs.keys()
        return Plan(
            program=static_part(self.graph, self._nodes, computed, inputs, self.values, self.given)
            if computed
            else None,
            known=arrays,
            given=frozenset(self.given & arrays.keys()),
            rest=rest,
        )
