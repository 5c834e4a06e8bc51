"""Names in a model are text: protocol buffers of this age do not promise it."""

from collections.abc import Iterator, Sequence

import onnx

from rammer_ir.errors import InvalidInputError


def check_texts(model: onnx.ModelProto) -> None:
    """Raises InvalidInputError if a name in the model is not UTF-8."""
    for text in _model_texts(model):
        # The library gives bytes for a string field that does not decode.
        if not isinstance(text, str):
            raise InvalidInputError(f"the model is damaged: a name in it is not text: {text!r:.80}")


def _model_texts(model: onnx.ModelProto) -> Iterator[object]:
    yield from (entry.domain for entry in model.opset_import)
    yield from _graph_texts(model.graph)
    for function in model.functions:
        yield from (function.name, function.domain, *function.input, *function.output, *function.attribute)
        yield from (entry.domain for entry in function.opset_import)
        yield from _node_texts(function.node)


def _graph_texts(graph: onnx.GraphProto) -> Iterator[object]:
    yield graph.name
    yield from (tensor.name for tensor in graph.initializer)
    for value in (*graph.input, *graph.output):
        yield value.name
        yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
    yield from _node_texts(graph.node)


def _node_texts(nodes: Sequence[onnx.NodeProto]) -> Iterator[object]:
    for node in nodes:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for attribute in node.attribute:
            yield from (attribute.name, attribute.ref_attr_name)
            for graph in (attribute.g, *attribute.graphs):
                yield from _graph_texts(graph)
