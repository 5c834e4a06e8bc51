"""Sequences of tensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rammer_ir.host_function.registry import HostNode, host_op
from rammer_ir.host_function.values import HostValue


def _sequence(node: HostNode, value: HostValue) -> list[HostValue]:
    if not isinstance(value, list):
        raise node.error("needs a sequence")
    return value


def _position(node: HostNode, value: HostValue, count: int, limit: int) -> int:
    """A position, counted from the end where negative, of a sequence of `count`; below `limit`."""
    position = int(np.asarray(value).reshape(()))
    if not -count <= position < limit:
        raise node.error(f"takes position {position} of a sequence of {count}")
    return position + count if position < 0 else position


@host_op("SequenceEmpty", always=True)
def empty(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    return [[]]


@host_op("SequenceConstruct", always=True)
def construct(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    return [list(inputs)]


@host_op("SequenceInsert", always=True)
def insert(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """The sequence with a tensor before a position, by default behind its end."""
    items = list(_sequence(node, inputs[0]))
    count = len(items)
    has_position = len(inputs) > 2 and inputs[2] is not None
    items.insert(_position(node, inputs[2], count, count + 1) if has_position else count, inputs[1])
    return [items]


@host_op("SequenceErase", always=True)
def erase(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """The sequence without the tensor at a position, by default the last."""
    items = list(_sequence(node, inputs[0]))
    has_position = len(inputs) > 1 and inputs[1] is not None
    del items[_position(node, inputs[1] if has_position else np.array(-1), len(items), len(items))]
    return [items]


@host_op("SequenceAt", always=True)
def at(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    items = _sequence(node, inputs[0])
    return [items[_position(node, inputs[1], len(items), len(items))]]


@host_op("SequenceLength", always=True)
def length(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    return [np.array(len(_sequence(node, inputs[0])), np.int64)]


@host_op("SplitToSequence", always=True)
def split(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """Parts of a dimension: of the given lengths, of one length, or of one element, then with or without it."""
    operand = np.asarray(inputs[0])
    axis = int(node.attributes.get("axis", 0)) % max(operand.ndim, 1)
    lengths = inputs[1] if len(inputs) > 1 else None
    extent = operand.shape[axis]
    if lengths is None:
        parts = np.split(operand, extent, axis) if extent else []
        keep = node.attributes.get("keepdims", 1) != 0
        return [[part if keep else part.squeeze(axis) for part in parts]]
    ends = _ends(node, np.asarray(lengths), extent)
    return [list(np.split(operand, ends, axis))]


def _ends(node: HostNode, lengths: NDArray[Any], extent: int) -> list[int]:
    """Where parts end but the last."""
    if lengths.ndim == 0:
        step = int(lengths)
        if step <= 0:
            raise node.error(f"makes parts of {step} elements")
        return list(range(step, extent, step))
    if int(lengths.sum()) != extent or (lengths < 0).any():
        raise node.error(f"makes parts of {lengths.tolist()} from {extent}")
    return [int(end) for end in np.cumsum(lengths)[:-1]]


@host_op("ConcatFromSequence", always=True)
def concatenate(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """The tensors one behind the other, in a dimension that they have or in a new one."""
    items = [np.asarray(item) for item in _sequence(node, inputs[0])]
    axis = int(node.attributes["axis"])
    return [np.stack(items, axis) if node.attributes.get("new_axis", 0) else np.concatenate(items, axis)]
