"""If, Loop and Scan in a specialisation: a branch in place of an If, a body as often as a loop runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx

from rammer_ir.errors import UnsupportedModelError
from rammer_ir.frontend.names import quoted
from rammer_ir.frontend.node import node_label
from rammer_ir.specialisation.inlining import inlined
from rammer_ir.specialisation.plan import first_output

if TYPE_CHECKING:
    from rammer_ir.specialisation.analysis import Analysis

MOST_UNROLLED_NODES: Final = 1024
"""A loop that would become more nodes is run by the host, one program a step."""


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """The node's attributes as Python values."""
    return {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}


def instantiate(analysis: "Analysis", graph: onnx.GraphProto, prefix: str, arguments: Mapping[str, str]) -> list[str]:
    """Visit the graph's nodes under names of their own; what its outputs are then called."""
    nodes, names, initializers = inlined(graph, prefix, arguments)
    for name, tensor in initializers.items():
        analysis.add_constant(name, analysis.graph.loader.load(tensor, name))
    for node in nodes:
        analysis.visit(node)
    return [names.get(output.name, output.name) for output in graph.output]


def visit_if(analysis: "Analysis", node: onnx.NodeProto) -> None:
    """The branch that is taken; where the condition is not known yet, the graph is cut in front of the node."""
    condition = analysis.known(node, node.input[0])
    if condition is None:
        return
    branch = attributes_of(node)["then_branch" if condition.reshape(()) else "else_branch"]
    results = instantiate(analysis, branch, first_output(node), {})
    _hand_on(analysis, results, node.output)


def visit_loop(analysis: "Analysis", node: onnx.NodeProto) -> None:
    """The body as often as it runs; the host drives loops whose number of steps depends on what they compute."""
    most = _optional_known(analysis, node, 0)
    condition = _optional_known(analysis, node, 1) if most is not None else None
    if most is None or condition is None:
        return
    body: onnx.GraphProto = attributes_of(node)["body"]
    carried, scanned = list(node.input[2:]), [list[str]() for _ in body.output[len(node.input) - 1 :]]
    step, goes_on = 0, bool(condition)
    while goes_on and step < most:
        _refuse_long(analysis, node, (step + 1) * max(len(body.node), 1))
        prefix = f"{first_output(node)}/{step}"
        arguments = {
            body.input[0].name: analysis.add_constant(f"{prefix}/step", np.array(step, np.int64)),
            body.input[1].name: analysis.add_constant(f"{prefix}/goes on", np.array(True)),
        } | {item.name: name for item, name in zip(body.input[2:], carried, strict=True)}
        results = instantiate(analysis, body, prefix, arguments)
        following = analysis.values.get(results[0])
        if following is None or following.constant is None:
            analysis.drive(node)
            return
        goes_on = bool(following.constant.reshape(()))
        carried = results[1 : 1 + len(carried)]
        for rows, name in zip(scanned, results[1 + len(carried) :], strict=True):
            rows.append(name)
        step += 1
    _hand_on(analysis, carried, node.output)
    rows_of = zip(scanned, node.output[len(carried) :], body.output[1 + len(carried) :], strict=False)
    for rows, output, info in rows_of:
        if output:
            _stack(analysis, rows, output, 0, info)


def _optional_known(analysis: "Analysis", node: onnx.NodeProto, position: int) -> float | None:
    """A number that a loop must know, infinite where it is left out; None if the node was deferred."""
    name = node.input[position] if position < len(node.input) else ""
    if not name:
        return float("inf")
    array = analysis.known(node, name)
    return None if array is None else int(array.reshape(()))


def _refuse_long(analysis: "Analysis", node: onnx.NodeProto, nodes: int) -> None:
    if nodes > MOST_UNROLLED_NODES:
        analysis.drive(node)


@dataclass(frozen=True)
class _Scan:
    """A Scan of the sequences of one batch element: states, then scanned inputs, by name, with their directions."""

    body: onnx.GraphProto
    axes: Sequence[int]
    reversed_inputs: Sequence[int]
    output_axes: Sequence[int]
    reversed_outputs: Sequence[int]

    def run(self, analysis: "Analysis", prefix: str, states: Sequence[str], scanned: Sequence[str]) -> list[str]:
        """Visit every step; the names of the last states and of the stacked outputs."""
        shapes = [analysis.values[name].shape for name in scanned]
        steps = shapes[0][self.axes[0]]
        rows = [list[str]() for _ in self.body.output[len(states) :]]
        for step in range(steps):
            here = f"{prefix}/{step}"
            slices = [
                _at(analysis, name, axis, steps - 1 - step if is_reversed else step, f"{here}/in {number}")
                for number, (name, axis, is_reversed) in enumerate(
                    zip(scanned, self.axes, self.reversed_inputs, strict=True)
                )
            ]
            arguments = dict(zip((item.name for item in self.body.input), [*states, *slices], strict=True))
            results = instantiate(analysis, self.body, here, arguments)
            states = results[: len(states)]
            for kept, name in zip(rows, results[len(states) :], strict=True):
                kept.append(name)
        stacked: list[str] = []
        infos = self.body.output[len(states) :]
        for number, (kept, info) in enumerate(zip(rows, infos, strict=True)):
            name = f"{prefix}/out {number}"
            order = kept[::-1] if self.reversed_outputs[number] else kept
            _stack(analysis, order, name, self.output_axes[number], info)
            stacked.append(name)
        return [*states, *stacked]


def visit_scan(analysis: "Analysis", node: onnx.NodeProto) -> None:
    """The body for each element of the scanned dimension."""
    if any(name in analysis.late for name in node.input):
        analysis.defer(node)
        return
    given = attributes_of(node)
    if analysis.opset() < 9:
        _visit_batched_scan(analysis, node, given)
        return
    scan, states, scanned = _scan_of(analysis, node, given)
    steps = analysis.values[scanned[0]].shape[scan.axes[0]]
    _refuse_long(analysis, node, steps * max(len(scan.body.node), 1))
    _hand_on(analysis, scan.run(analysis, first_output(node), states, scanned), node.output)


def _scan_of(
    analysis: "Analysis", node: onnx.NodeProto, given: Mapping[str, Any]
) -> tuple[_Scan, list[str], list[str]]:
    body: onnx.GraphProto = given["body"]
    count = given["num_scan_inputs"]
    states, scanned = list(node.input[: len(node.input) - count]), list(node.input[len(node.input) - count :])
    outputs = len(body.output) - len(states)
    ranks = [len(analysis.values[name].shape) for name in scanned]
    axes = given.get("scan_input_axes", [0] * count)
    scan = _Scan(
        body,
        [axis % rank for axis, rank in zip(axes, ranks, strict=True)],
        given.get("scan_input_directions", [0] * count),
        given.get("scan_output_axes", [0] * outputs),
        given.get("scan_output_directions", [0] * outputs),
    )
    return scan, states, scanned


def _visit_batched_scan(analysis: "Analysis", node: onnx.NodeProto, given: Mapping[str, Any]) -> None:
    """Scan of opset 8: the first dimension of everything is the batch, the second the scanned one."""
    if node.input[0]:
        raise UnsupportedModelError(
            "Scan with sequence_lens is not supported", location=f"node {quoted(node_label(node))}"
        )
    body: onnx.GraphProto = given["body"]
    count = given["num_scan_inputs"]
    operands = list(node.input[1:])
    states = len(operands) - count
    outputs = len(body.output) - states
    scan = _Scan(body, [0] * count, given.get("directions", [0] * count), [0] * outputs, [0] * outputs)
    batch, steps = analysis.values[operands[-1]].shape[:2]
    if batch * steps * len(body.node) > MOST_UNROLLED_NODES:
        raise UnsupportedModelError(
            f"Scan of opset 8 with {batch} x {steps} steps is not supported",
            location=f"node {quoted(node_label(node))}",
        )
    results: list[list[str]] = []
    for element in range(batch):
        prefix = f"{first_output(node)}/{element}"
        names = [_at(analysis, name, 0, element, f"{prefix}/of {number}") for number, name in enumerate(operands)]
        results.append(scan.run(analysis, prefix, names[:states], names[states:]))
    for number, output in enumerate(node.output):
        if output:
            _stack(analysis, [result[number] for result in results], output, 0, body.output[number])


def _hand_on(analysis: "Analysis", names: Sequence[str], outputs: Sequence[str]) -> None:
    for name, output in zip(names, outputs, strict=False):
        if output:
            analysis.visit(onnx.helper.make_node("Identity", [name], [output]))


def _with_axes(analysis: "Analysis", op: str, name: str, axis: int, output: str) -> None:
    """Squeeze or Unsqueeze of one dimension, as the opset writes it."""
    if analysis.opset() < 13:
        analysis.visit(onnx.helper.make_node(op, [name], [output], axes=[axis]))
        return
    axes = analysis.add_constant(f"{output}/axes", np.array([axis], np.int64))
    analysis.visit(onnx.helper.make_node(op, [name, axes], [output]))


def _at(analysis: "Analysis", name: str, axis: int, position: int, output: str) -> str:
    """One element of a dimension, without the dimension."""
    part = f"{output}/part"
    if analysis.opset() < 10:
        node = onnx.helper.make_node("Slice", [name], [part], starts=[position], ends=[position + 1], axes=[axis])
    else:
        numbers = {"start": position, "end": position + 1, "axis": axis}
        operands = [
            analysis.add_constant(f"{output}/{what}", np.array([number], np.int64)) for what, number in numbers.items()
        ]
        node = onnx.helper.make_node("Slice", [name, *operands], [part])
    analysis.visit(node)
    _with_axes(analysis, "Squeeze", part, axis, output)
    return output


def _stack(analysis: "Analysis", names: Sequence[str], output: str, axis: int, info: onnx.ValueInfoProto) -> None:
    """The values along a new dimension; nothing of the type that the body declares, where there are none."""
    if not names:
        tensor = info.type.tensor_type
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        analysis.add_constant(output, np.empty((0, *(dim.dim_value for dim in tensor.shape.dim)), dtype))
        return
    rows = [f"{output}/row {number}" for number in range(len(names))]
    for name, row in zip(names, rows, strict=True):
        _with_axes(analysis, "Unsqueeze", name, axis, row)
    analysis.visit(onnx.helper.make_node("Concat", rows, [output], axis=axis))


CONTROL_FLOW: Final[dict[str, Callable[["Analysis", onnx.NodeProto], None]]] = {
    "If": visit_if,
    "Loop": visit_loop,
    "Scan": visit_scan,
}
