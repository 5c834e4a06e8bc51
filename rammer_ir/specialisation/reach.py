"""Whether a model may be compiled piece by piece, told by its ops alone."""

from collections.abc import Mapping, Sequence

import onnx

from rammer_ir.frontend.preparation import PreparedModel
from rammer_ir.frontend.registry import find_handler
from rammer_ir.frontend.schemas import find_schema, has_function_body, normal_domain
from rammer_ir.frontend.subgraphs import subgraphs_of
from rammer_ir.host_function.registry import find_host_function
from rammer_ir.specialisation.arithmetic import is_arithmetic
from rammer_ir.specialisation.control_flow import CONTROL_FLOW


def may_be_specialised(model: PreparedModel) -> bool:
    """Whether every op of the model is one that is compiled, folded, or run by the host."""
    return _are_known(model.nodes, model.opsets, set(model.constants))


def _are_known(nodes: Sequence[onnx.NodeProto], opsets: Mapping[str, int], constants: set[str]) -> bool:
    known = set(constants)
    for node in nodes:
        inner = all(_are_known(graph.node, opsets, known) for graph in subgraphs_of(node))
        if all(name in known for name in node.input if name) and inner:
            known.update(node.output)
        elif not inner or not _is_known(node, opsets):
            return False
    return True


def _is_known(node: onnx.NodeProto, opsets: Mapping[str, int]) -> bool:
    domain = normal_domain(node.domain)
    opset = opsets.get(domain, 1)
    if find_handler(domain, node.op_type, opset) is not None or find_host_function(node) is not None:
        return True
    if not domain and (node.op_type in CONTROL_FLOW or node.op_type in ("Shape", "Size", "SequenceMap")):
        return True
    schema = find_schema(domain, node.op_type, opset)
    return is_arithmetic(node) or (schema is not None and has_function_body(schema))
