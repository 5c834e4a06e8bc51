"""Graphs inside of nodes: the branches of an If, the bodies of Loop and Scan."""

from collections.abc import Iterator

import onnx


def subgraphs_of(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that a node holds."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def names_read(node: onnx.NodeProto) -> list[str]:
    """The values that a node reads, each once: its inputs, and what its graphs take from outside of them."""
    names = dict.fromkeys(name for name in node.input if name)
    for graph in subgraphs_of(node):
        names |= dict.fromkeys(captured_names(graph))
    return list(names)


def captured_names(graph: onnx.GraphProto) -> list[str]:
    """The values that a graph takes from outside, each once."""
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    captured: dict[str, None] = {}
    for node in graph.node:
        captured |= dict.fromkeys(name for name in names_read(node) if name not in own)
        own.update(node.output)
    captured |= dict.fromkeys(output.name for output in graph.output if output.name not in own)
    return list(captured)
