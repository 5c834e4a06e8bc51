"""An op in place of which the ONNX standard's own definition stands."""

from collections.abc import Mapping, Sequence

import onnx
import onnx.checker
import onnx.inliner

from rammer_ir.frontend.element_types import onnx_of_dtype
from rammer_ir.frontend.schemas import default_attributes, find_schema, has_function_body, normal_domain
from rammer_ir.frontend.value import Value
from rammer_ir.specialisation.inlining import inlined


def expand_node(
    node: onnx.NodeProto, opsets: Mapping[str, int], inputs: Sequence[Value | None]
) -> list[onnx.NodeProto] | None:
    """
    The nodes that define the op for inputs of these types; None if the standard does not define it by others.

    Their own names start with that of the node's first output.
    """
    domain = normal_domain(node.domain)
    schema = find_schema(domain, node.op_type, opsets.get(domain, 1))
    if schema is None or not has_function_body(schema):
        return None
    completed = onnx.NodeProto()
    completed.CopyFrom(node)
    # The inliner does not know the defaults of what a node leaves out.
    given = {attribute.name for attribute in node.attribute}
    completed.attribute.extend(item for item in default_attributes(schema) if item.name not in given)
    model = _model_of(completed, opsets, [value for value in inputs if value is not None])
    try:
        body = onnx.inliner.inline_selected_functions(model, [(domain, node.op_type)], inline_schema_functions=True)
    except (RuntimeError, ValueError, onnx.checker.ValidationError):
        return None
    if any(inner.op_type == node.op_type and normal_domain(inner.domain) == domain for inner in body.graph.node):
        return None
    outside = {name: name for name in (*node.input, *node.output) if name}
    nodes, _, _ = inlined(body.graph, next(name for name in node.output if name), outside)
    return nodes


def _model_of(node: onnx.NodeProto, opsets: Mapping[str, int], inputs: Sequence[Value]) -> onnx.ModelProto:
    types = {
        value.name: onnx.helper.make_tensor_value_info(value.name, onnx_of_dtype(value.dtype), value.shape)
        for value in inputs
    }
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
    graph = onnx.helper.make_graph([node], "expanded", list(types.values()), outputs)
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    )
