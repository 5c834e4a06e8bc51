"""Types of a node's outputs, by ONNX's own shape inference: node by node, with the constants known so far."""

from collections.abc import Mapping, Sequence
from typing import Final

import onnx
import onnx.shape_inference
from onnx import TensorProto, TypeProto

from rammer_ir.errors import InvalidInputError
from rammer_ir.frontend.element_types import dtype_of_onnx, onnx_of_dtype
from rammer_ir.frontend.limits import checked_bytes
from rammer_ir.frontend.names import first_line, quoted
from rammer_ir.frontend.node import OutputType, node_label, unsupported_op
from rammer_ir.frontend.schemas import default_attributes, find_schema, normal_domain, type_mismatch
from rammer_ir.frontend.value import Value

_MOST_KNOWN_ELEMENTS: Final = 4096
"""Larger constants are not shown to shape inference: what shapes depend on are short lists."""

_FORGET_DEFAULTS: Final = frozenset({"STFT"})
"""Ops whose inference takes an attribute that is left out for 0 where the schema says otherwise."""


def infer_output_types(
    proto: onnx.NodeProto, opsets: Mapping[str, int], inputs: Sequence[Value | None]
) -> list[OutputType | None]:
    """
    The types of the node's outputs, None for those that are left out; known extents are within the limits.

    Raises UnsupportedModelError for ops that ONNX does not define and for outputs that are no tensors of a supported
    type, InvalidInputError where the inputs do not fit the op.
    """
    opset = opsets.get(normal_domain(proto.domain), 1)
    present = [value for value in inputs if value is not None]
    schema = find_schema(normal_domain(proto.domain), proto.op_type, opset)
    if schema is None:
        raise unsupported_op(proto, opset)
    mismatch = type_mismatch(schema, [None if value is None else onnx_of_dtype(value.dtype) for value in inputs])
    if mismatch is not None:
        raise _misfit(proto, opset, mismatch)
    try:
        types = onnx.shape_inference.infer_node_outputs(
            schema,
            _completed(proto, schema) if proto.op_type in _FORGET_DEFAULTS else proto,
            {value.name: _type_proto(value) for value in present},
            {value.name: _tensor_proto(value) for value in present if _is_shown(value)},
            opset_imports=[onnx.helper.make_opsetid(domain, version) for domain, version in opsets.items()],
        )
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError, ValueError) as error:
        raise _misfit(proto, opset, first_line(error)) from error
    return [_output_type(proto, opset, types.get(name), name) if name else None for name in proto.output]


def _completed(proto: onnx.NodeProto, schema: onnx.defs.OpSchema) -> onnx.NodeProto:
    """The node with the attributes that it leaves out."""
    completed = onnx.NodeProto()
    completed.CopyFrom(proto)
    given = {attribute.name for attribute in proto.attribute}
    completed.attribute.extend(item for item in default_attributes(schema) if item.name not in given)
    return completed


def _misfit(proto: onnx.NodeProto, opset: int, reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"the inputs do not fit op {quoted(proto.op_type)[1:-1]} (opset {opset}): {reason}",
        location=f"node {quoted(node_label(proto))}",
    )


def _is_shown(value: Value) -> bool:
    return value.constant is not None and value.constant.size <= _MOST_KNOWN_ELEMENTS


def _type_proto(value: Value) -> TypeProto:
    return onnx.helper.make_tensor_type_proto(onnx_of_dtype(value.dtype), value.shape)


def _tensor_proto(value: Value) -> TensorProto:
    assert value.constant is not None
    return onnx.numpy_helper.from_array(value.constant, value.name)


def _output_type(proto: onnx.NodeProto, opset: int, inferred: TypeProto | None, name: str) -> OutputType:
    if inferred is None or not inferred.HasField("tensor_type"):
        raise unsupported_op(proto, opset, f"gives output {quoted(name)}, which is no tensor of known type")
    tensor = inferred.tensor_type
    dtype = dtype_of_onnx(tensor.elem_type, f"value {quoted(name)}")
    if not tensor.HasField("shape"):
        return OutputType(dtype, None)
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim)
    checked_bytes([1 if extent is None else extent for extent in shape], dtype.itemsize, f"value {quoted(name)}")
    return OutputType(dtype, shape)
