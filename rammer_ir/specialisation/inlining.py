"""Nodes in place of a graph inside of a node."""

from collections.abc import Mapping

import onnx

from rammer_ir.frontend.subgraphs import captured_names, subgraphs_of


def inlined(
    graph: onnx.GraphProto, prefix: str, arguments: Mapping[str, str]
) -> tuple[list[onnx.NodeProto], dict[str, str], dict[str, onnx.TensorProto]]:
    """
    Copies of the graph's nodes with names of their own, which start with `prefix`.

    `arguments` says what stands for each of the graph's inputs, and what is to be called otherwise. Gives the nodes,
    the new name of everything that the graph defines, and its initializers by their new names.
    """
    names = dict(arguments)
    initializers: dict[str, onnx.TensorProto] = {}
    for tensor in graph.initializer:
        names.setdefault(tensor.name, f"{prefix}/{tensor.name}")
        initializers[names[tensor.name]] = tensor
    for node in graph.node:
        names |= {name: f"{prefix}/{name}" for name in node.output if name and name not in arguments}
    return [_renamed(node, names, prefix) for node in graph.node], names, initializers


def _renamed(node: onnx.NodeProto, names: Mapping[str, str], prefix: str) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [names.get(name, name) for name in node.input]
    copy.output[:] = [names.get(name, name) for name in node.output]
    if node.name:
        copy.name = f"{prefix}/{node.name}"
    for graph in subgraphs_of(copy):
        _rename_captured(graph, names)
    return copy


def _rename_captured(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Changes, in a graph, the names of what it takes from outside."""
    captured = set(captured_names(graph))
    changed = {old: new for old, new in names.items() if old in captured and old != new}
    if not changed:
        return
    for node in graph.node:
        node.input[:] = [changed.get(name, name) for name in node.input]
        for inner in subgraphs_of(node):
            _rename_captured(inner, changed)
    for output in graph.output:
        output.name = changed.get(output.name, output.name)
