"""LabelEncoder, where keys or values are strings."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx

from rammer_ir.host_function.registry import HostNode, host_op
from rammer_ir.host_function.values import HostValue, is_text, text_array, texts_of

_DEFAULTS: Final[dict[str, Any]] = {"strings": "_Unused", "int64s": -1, "floats": -0.0}


@host_op("LabelEncoder", domain="ai.onnx.ml")
def encode_labels(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """Every element replaced by the value that goes with it as a key, or by the default."""
    operand = inputs[0]
    if not isinstance(operand, np.ndarray):
        raise node.error("needs a tensor")
    keys, _ = _list_of(node, "keys")
    values, kind = _list_of(node, "values")
    table = dict(zip(keys, values, strict=True))
    default = _default(node, kind)
    items = texts_of(operand) if is_text(operand) else operand.reshape(-1).tolist()
    found = [table.get(item, default) for item in items]
    if kind == "strings" or (found and isinstance(found[0], str)):
        return [text_array(found, operand.shape)]
    return [np.array(found, _dtype(node, kind)).reshape(operand.shape)]


def _list_of(node: HostNode, what: str) -> tuple[list[Any], str]:
    for kind in ("strings", "int64s", "floats"):
        if f"{what}_{kind}" in node.attributes:
            return list(node.attributes[f"{what}_{kind}"]), kind
    if f"{what}_tensor" not in node.attributes:
        raise node.error(f"lacks its {what}")
    array = onnx.numpy_helper.to_array(node.attributes[f"{what}_tensor"])
    return texts_of(array) if is_text(array) else array.reshape(-1).tolist(), "tensor"


def _default(node: HostNode, kind: str) -> Any:
    if kind == "tensor":
        if "default_tensor" not in node.attributes:
            return "_Unused" if _values_are_text(node) else 0
        array = onnx.numpy_helper.to_array(node.attributes["default_tensor"])
        return texts_of(array)[0] if is_text(array) else array.reshape(-1)[0].item()
    return node.attributes.get(
        {"strings": "default_string", "int64s": "default_int64"}.get(kind, "default_float"), _DEFAULTS[kind]
    )


def _values_are_text(node: HostNode) -> bool:
    return node.attributes["values_tensor"].data_type == onnx.TensorProto.STRING


def _dtype(node: HostNode, kind: str) -> Any:
    if kind == "tensor":
        return onnx.helper.tensor_dtype_to_np_dtype(node.attributes["values_tensor"].data_type)
    return np.int64 if kind == "int64s" else np.float32
