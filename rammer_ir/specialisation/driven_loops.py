"""Loops whose bodies are compiled, and whose steps the host counts."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import onnx

from rammer_ir.frontend.subgraphs import captured_names
from rammer_ir.host_function.values import HostValue
from rammer_ir.specialisation.control_flow import attributes_of
from rammer_ir.specialisation.graph import Graph


class _Body(Protocol):
    def run(self, values: Mapping[str, HostValue]) -> dict[str, HostValue]: ...


def body_graph(node: onnx.NodeProto, outer: Graph) -> Graph:
    """The graph in a loop of `outer`: its inputs are its own, then what it takes from outside."""
    body: onnx.GraphProto = attributes_of(node)["body"]
    return Graph(
        f"{outer.name}_body",
        list(body.node),
        (*(item.name for item in body.input), *captured_names(body)),
        tuple(dict.fromkeys(item.name for item in body.output)),
        {tensor.name: outer.loader.load(tensor, tensor.name) for tensor in body.initializer},
        outer.opsets,
        outer.loader,
    )


def run_driven(node: onnx.NodeProto, known: Mapping[str, HostValue], body: _Body) -> Sequence[HostValue]:
    """The outputs of Loop, Scan or SequenceMap: the body is run step after step."""
    graph: onnx.GraphProto = attributes_of(node)["body"]
    captured = {name: known[name] for name in captured_names(graph)}
    inputs = [known[name] if name else None for name in node.input]
    match node.op_type:
        case "Loop":
            return _run_loop(graph, inputs, captured, body)
        case "Scan":
            return _run_scan(node, graph, inputs, captured, body)
        case _:
            return _run_sequence_map(graph, inputs, captured, body)


def _step(
    graph: onnx.GraphProto, arguments: Sequence[HostValue], captured: Mapping[str, HostValue], body: _Body
) -> list[HostValue]:
    names = [item.name for item in graph.input]
    results = body.run({**dict(zip(names, arguments, strict=True)), **captured})
    return [results[item.name] for item in graph.output]


def _run_loop(
    graph: onnx.GraphProto, inputs: Sequence[HostValue], captured: Mapping[str, HostValue], body: _Body
) -> list[HostValue]:
    most, condition, *carried = inputs
    goes_on = condition is None or bool(np.asarray(condition).reshape(()))
    rows: list[list[HostValue]] = [[] for _ in graph.output[1 + len(carried) :]]
    step = 0
    while goes_on and (most is None or step < int(np.asarray(most).reshape(()))):
        following, *results = _step(graph, [np.array(step, np.int64), np.array(True), *carried], captured, body)
        goes_on = bool(np.asarray(following).reshape(()))
        carried = results[: len(carried)]
        for kept, result in zip(rows, results[len(carried) :], strict=True):
            kept.append(result)
        step += 1
    infos = graph.output[1 + len(carried) :]
    return [*carried, *(_stacked(kept, 0, info) for kept, info in zip(rows, infos, strict=True))]


def _run_scan(
    node: onnx.NodeProto,
    graph: onnx.GraphProto,
    inputs: Sequence[HostValue],
    captured: Mapping[str, HostValue],
    body: _Body,
) -> list[HostValue]:
    given = attributes_of(node)
    count = given["num_scan_inputs"]
    states = list(inputs[: len(inputs) - count])
    outputs = len(graph.output) - len(states)
    axes = given.get("scan_input_axes", [0] * count)
    backwards = given.get("scan_input_directions", [0] * count)
    scanned = [np.moveaxis(np.asarray(item), axis, 0) for item, axis in zip(inputs[len(states) :], axes, strict=True)]
    scanned = [item[::-1] if turned else item for item, turned in zip(scanned, backwards, strict=True)]
    rows: list[list[HostValue]] = [[] for _ in range(outputs)]
    for step in range(scanned[0].shape[0]):
        slices = [np.ascontiguousarray(item[step]) for item in scanned]
        results = _step(graph, [*states, *slices], captured, body)
        states = results[: len(states)]
        for kept, result in zip(rows, results[len(states) :], strict=True):
            kept.append(result)
    output_axes = given.get("scan_output_axes", [0] * outputs)
    turned_outputs = given.get("scan_output_directions", [0] * outputs)
    infos = graph.output[len(states) :]
    stacked = [
        _stacked(kept[::-1] if turned else kept, axis, info)
        for kept, axis, turned, info in zip(rows, output_axes, turned_outputs, infos, strict=True)
    ]
    return [*states, *stacked]


def _run_sequence_map(
    graph: onnx.GraphProto, inputs: Sequence[HostValue], captured: Mapping[str, HostValue], body: _Body
) -> list[HostValue]:
    """The body for each tensor of a sequence; other sequences go along, tensors are the same in every step."""
    first = inputs[0]
    results: list[list[HostValue]] = [[] for _ in graph.output]
    for step in range(len(first) if isinstance(first, list) else 0):
        arguments = [item[step] if isinstance(item, list) else item for item in inputs]
        for kept, result in zip(results, _step(graph, arguments, captured, body), strict=True):
            kept.append(result)
    return list(results)


def _stacked(rows: Sequence[HostValue], axis: int, info: onnx.ValueInfoProto) -> HostValue:
    if rows:
        return np.stack([np.asarray(row) for row in rows], axis)
    tensor = info.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    return np.empty((0, *(dim.dim_value for dim in tensor.shape.dim)), dtype)
