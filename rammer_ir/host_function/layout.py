"""Ops that move strings, or hand on sequences and optionals, without looking at them."""

from collections.abc import Sequence

import numpy as np
import onnx

from rammer_ir.host_function.registry import HostNode, host_op
from rammer_ir.host_function.values import HostValue, text_array


@host_op("Identity")
def identity(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    return [inputs[0]]


@host_op("Constant")
def constant_text(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """A constant of strings."""
    attributes = node.attributes
    if "value_string" in attributes:
        return [text_array([attributes["value_string"]], ())]
    if "value_strings" in attributes:
        return [text_array(attributes["value_strings"], (len(attributes["value_strings"]),))]
    tensor: onnx.TensorProto = attributes["value"]
    return [text_array([item.decode("utf-8", "replace") for item in tensor.string_data], tensor.dims)]


@host_op("Shape")
def shape(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """The extents of a tensor of strings, or of some of its dimensions."""
    extents = np.array(np.shape(np.asarray(inputs[0])), np.int64)
    return [extents[node.attributes.get("start", 0) : node.attributes.get("end")]]


@host_op("Size")
def size(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    return [np.array(np.asarray(inputs[0]).size, np.int64)]


@host_op("Reshape")
def reshape(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """Strings under another shape, where 0 keeps an extent and one may be -1."""
    texts, wanted = np.asarray(inputs[0]), [int(item) for item in np.asarray(inputs[1])]
    if not node.attributes.get("allowzero", 0):
        wanted = [texts.shape[dim] if extent == 0 else extent for dim, extent in enumerate(wanted)]
    return [texts.reshape(wanted)]


@host_op("Concat")
def concatenate(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    return [np.concatenate([np.asarray(value) for value in inputs], axis=node.attributes["axis"])]


@host_op("Gather")
def gather(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """The strings at indices of one dimension."""
    return [np.take(np.asarray(inputs[0]), np.asarray(inputs[1]), axis=node.attributes.get("axis", 0))]


@host_op("Transpose")
def transpose(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    return [np.transpose(np.asarray(inputs[0]), node.attributes.get("perm"))]


@host_op("Unsqueeze")
def unsqueeze(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    axes = node.attributes.get("axes") if len(inputs) < 2 else [int(item) for item in np.asarray(inputs[1])]
    return [np.expand_dims(np.asarray(inputs[0]), tuple(axes or ()))]


@host_op("Squeeze")
def squeeze(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    axes = node.attributes.get("axes") if len(inputs) < 2 else [int(item) for item in np.asarray(inputs[1])]
    return [np.squeeze(np.asarray(inputs[0]), None if axes is None else tuple(axes))]


@host_op("Where")
def where(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """Strings of one tensor or another, with broadcasting."""
    condition, if_true, if_false = (np.asarray(value) for value in inputs)
    return [np.where(condition, if_true, if_false)]
