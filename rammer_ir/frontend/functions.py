"""Functions, of a model and of the ONNX standard, replaced by what they do."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import onnx
import onnx.checker
import onnx.inliner

from rammer_ir.errors import InvalidInputError
from rammer_ir.frontend.names import first_line
from rammer_ir.frontend.registry import find_handler
from rammer_ir.frontend.schemas import default_attributes, find_schema, has_function_body, normal_domain

_MOST_ROUNDS = 16


def inline_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without functions of its own; raises InvalidInputError where they cannot be inlined."""
    if not model.functions:
        return model
    try:
        return onnx.inliner.inline_local_functions(model)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise InvalidInputError(f"the model's functions cannot be inlined: {first_line(error)}") from error


def expand_ops(model: onnx.ModelProto, opsets: Mapping[str, int], constants: AbstractSet[str]) -> onnx.ModelProto:
    """
    The model with ops that nothing imports replaced by the standard's definitions, as far as there are any.

    Ops on `constants` stay: they are folded. So do those that the ONNX library fails to expand.
    """
    failed: set[tuple[str, str]] = set()
    for _ in range(_MOST_ROUNDS):
        expandable = _expandable_ops(model.graph.node, opsets, constants) - failed
        if not expandable:
            break
        for op in sorted(expandable):
            try:
                model = _expand_op(model, op, opsets)
            except (RuntimeError, ValueError, onnx.checker.ValidationError):
                failed.add(op)
    return model


def _expandable_ops(
    nodes: Sequence[onnx.NodeProto], opsets: Mapping[str, int], constants: AbstractSet[str]
) -> set[tuple[str, str]]:
    known = set(constants)
    found: set[tuple[str, str]] = set()
    for node in nodes:
        domain = normal_domain(node.domain)
        opset = opsets.get(domain, 1)
        if node.op_type in ("Shape", "Size") or all(name in known for name in node.input if name):
            known.update(node.output)
        elif find_handler(domain, node.op_type, opset) is None:
            schema = find_schema(domain, node.op_type, opset)
            if schema is not None and has_function_body(schema):
                found.add((domain, node.op_type))
    return found


def _expand_op(model: onnx.ModelProto, op: tuple[str, str], opsets: Mapping[str, int]) -> onnx.ModelProto:
    """The model with an op expanded wherever it stands."""
    domain, op_type = op
    schema = find_schema(domain, op_type, opsets.get(domain, 1))
    assert schema is not None
    completed = onnx.ModelProto()
    completed.CopyFrom(model)
    for node in completed.graph.node:
        if (normal_domain(node.domain), node.op_type) == op:
            # The inliner does not know the defaults of what a node leaves out.
            given = {attribute.name for attribute in node.attribute}
            node.attribute.extend(item for item in default_attributes(schema) if item.name not in given)
    return onnx.inliner.inline_selected_functions(completed, [op], inline_schema_functions=True)
