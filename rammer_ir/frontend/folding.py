"""Constant folding, by ONNX's reference evaluator: no more dependencies, one node at a time, NumPy speed."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from rammer_ir.frontend.element_types import Array, onnx_of_dtype
from rammer_ir.frontend.node import OutputType
from rammer_ir.frontend.schemas import find_schema, is_deterministic, normal_domain
from rammer_ir.frontend.value import Value

_OF_TYPES_ALONE: Mapping[str, frozenset[int]] = {
    "CastLike": frozenset({1}),
    "EyeLike": frozenset({0}),
    "Shape": frozenset({0}),
    "Size": frozenset({0}),
}
"""By op of the standard: the inputs of which nothing matters but type and shape."""


def is_foldable(
    proto: onnx.NodeProto,
    opsets: Mapping[str, int],
    inputs: Sequence[Value | None],
    output_types: Sequence[OutputType | None],
) -> bool:
    """
    Whether the node gives the same known tensors in every run.

    Its inputs must be constants (but those whose types alone matter), its op deterministic and its outputs' shapes
    known beforehand, so that their sizes have been checked before they are made.
    """
    domain = normal_domain(proto.domain)
    known_by_type = frozenset[int]() if domain else _OF_TYPES_ALONE.get(proto.op_type, frozenset())
    needed = [value for position, value in enumerate(inputs) if position not in known_by_type]
    if any(value is not None and value.constant is None for value in needed):
        return False
    if any(_holds_graph_or_external(attribute) for attribute in proto.attribute):
        return False
    schema = find_schema(domain, proto.op_type, opsets.get(domain, 1))
    if schema is None or not is_deterministic(schema) or "broadcast" in schema.attributes:
        # The evaluator knows nothing of broadcasting as it was before opset 7.
        return False
    return all(output is None or output.static_shape is not None for output in output_types)


def _holds_graph_or_external(attribute: onnx.AttributeProto) -> bool:
    tensors = (attribute.t, *attribute.tensors)
    return (
        attribute.HasField("g")
        or len(attribute.graphs) > 0
        or any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors)
    )


def fold_node(
    proto: onnx.NodeProto, opsets: Mapping[str, int], inputs: Sequence[Value | None]
) -> list[Array | None] | None:
    """
    The outputs of a foldable node, None for those that are left out; None if the evaluator does not do the op.

    A node that is not folded is imported like any other, so a gap in the evaluator costs time, not correctness.
    """
    present = {value.name: value for value in inputs if value is not None}
    model = _model_of(proto, opsets, present)
    try:
        evaluator = cast("Any", ReferenceEvaluator(model))
        results = evaluator.run(None, {name: _array_of(value) for name, value in present.items()})
    except Exception:  # The evaluator raises whatever its NumPy code does.
        return None
    arrays = dict(zip((name for name in proto.output if name), cast("Sequence[object]", results), strict=True))
    if not all(isinstance(array, np.ndarray | np.generic) for array in arrays.values()):
        return None
    return [np.asarray(cast("Array", arrays[name])) if name else None for name in proto.output]


def _model_of(proto: onnx.NodeProto, opsets: Mapping[str, int], inputs: Mapping[str, Value]) -> onnx.ModelProto:
    graph = onnx.helper.make_graph(
        [proto],
        "fold",
        [
            onnx.helper.make_tensor_value_info(name, onnx_of_dtype(value.dtype), value.shape)
            for name, value in inputs.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in proto.output if name],
    )
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    )


def _array_of(value: Value) -> Array:
    """The value's array; one of the right shape, that takes no memory, where only the type is known."""
    if value.constant is not None:
        return value.constant
    return np.broadcast_to(np.zeros((), value.dtype), value.shape)
