"""Unique."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rammer_ir.host_function.registry import HostNode, host_op
from rammer_ir.host_function.values import HostValue


@host_op("Unique", always=True)
def unique(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """Different elements, or slices of a dimension, sorted or as they first come; where they come first, which of them
    each is, and how often each comes."""
    operand = np.asarray(inputs[0])
    axis = node.attributes.get("axis")
    if axis is None:
        operand = operand.reshape(-1)
    found = np.unique(operand, return_index=True, return_inverse=True, return_counts=True, axis=axis or 0)
    values, first, inverse, counts = found[0], found[1], found[2].reshape(-1), found[3]
    if not node.attributes.get("sorted", 1):
        values, first, inverse, counts = _by_first(operand, axis or 0, first, inverse, counts)
    results = (values, first.astype(np.int64), inverse.astype(np.int64), counts.astype(np.int64))
    return list(results[: node.outputs])


def _by_first(
    operand: NDArray[Any], axis: int, first: NDArray[Any], inverse: NDArray[Any], counts: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return np.take(operand, first[order], axis), first[order], place[inverse], counts[order]
