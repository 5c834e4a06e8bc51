"""Cast from and to strings."""

from collections.abc import Sequence

import numpy as np
import onnx

from rammer_ir.frontend.element_types import DType
from rammer_ir.host_function.registry import HostNode, host_op
from rammer_ir.host_function.values import HostValue, is_text, text_array, texts_of


@host_op("Cast")
def cast(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """Numbers from their text, or text from numbers."""
    element = int(node.attributes["to"])
    if element == onnx.TensorProto.STRING:
        return [_to_text(node, inputs[0])]
    return [_from_text(node, inputs[0], np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element)))]


@host_op("CastLike")
def cast_like(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """The same, to the type of the second input."""
    like = inputs[1]
    if not isinstance(like, np.ndarray):
        raise node.error("needs a tensor as its second input")
    return [_to_text(node, inputs[0]) if is_text(like) else _from_text(node, inputs[0], like.dtype)]


def _to_text(node: HostNode, value: HostValue) -> HostValue:
    """The shortest text that names each number of its type."""
    if not isinstance(value, np.ndarray):
        raise node.error("needs a tensor")
    if is_text(value):
        return value
    return text_array([str(item) for item in value.reshape(-1)], value.shape)


def _from_text(node: HostNode, value: HostValue, dtype: DType) -> HostValue:
    if not is_text(value):
        raise node.error("needs a tensor of strings")
    texts = texts_of(value)
    if dtype.kind in "iu":
        return np.array([int(text) for text in texts], dtype).reshape(value.shape)
    if dtype.kind == "b":
        return np.array([text not in ("0", "False", "false", "") for text in texts]).reshape(value.shape)
    return np.array([float(text) for text in texts], np.float64).astype(dtype).reshape(value.shape)
