"""Which elements, or boxes, are kept: how many there are depends on the data."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rammer_ir.host_function.registry import HostNode, host_op
from rammer_ir.host_function.values import HostValue


@host_op("NonZero", always=True)
def non_zero(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """The indices of elements that are not zero, of shape [rank, count]."""
    operand = np.asarray(inputs[0])
    if operand.ndim == 0:
        return [np.zeros((0, int(bool(operand))), np.int64)]
    return [np.array(np.nonzero(operand), np.int64)]


@host_op("Compress", always=True)
def compress(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """The elements, or slices of a dimension, whose condition holds."""
    operand, condition = np.asarray(inputs[0]), np.asarray(inputs[1])
    return [np.compress(condition, operand, node.attributes.get("axis"))]


@host_op("NonMaxSuppression", always=True)
def suppress_non_maxima(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """
    Boxes of [batch, boxes, 4] by falling score of [batch, classes, boxes], without those that overlap a kept one.

    Gives rows of (batch, class, box), of int64.
    """
    boxes, scores = np.asarray(inputs[0], np.float64), np.asarray(inputs[1])
    most = int(_number(inputs, 2, 0))
    overlap, least = _number(inputs, 3, 0.0), _number(inputs, 4, -np.inf)
    corners = _corners(boxes, is_centered=bool(node.attributes.get("center_point_box", 0)))
    rows: list[tuple[int, int, int]] = []
    for batch, by_class in enumerate(scores):
        for number, of_boxes in enumerate(by_class):
            kept = _kept(corners[batch], of_boxes, most, overlap, least)
            rows.extend((batch, number, box) for box in kept)
    return [np.array(rows, np.int64).reshape(-1, 3)]


def _number(inputs: Sequence[HostValue], position: int, default: float) -> float:
    value = inputs[position] if position < len(inputs) else None
    return default if value is None else float(np.asarray(value).reshape(-1)[0])


def _corners(boxes: NDArray[Any], *, is_centered: bool) -> NDArray[Any]:
    """The lower and upper corner of each box: (y, x, y, x), in any order of corners, or (x, y, width, height)."""
    if is_centered:
        centre, half = boxes[..., [1, 0]], boxes[..., [3, 2]] / 2
        return np.concatenate([centre - half, centre + half], axis=-1)
    first, second = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([np.minimum(first, second), np.maximum(first, second)], axis=-1)


def _kept(corners: NDArray[Any], scores: NDArray[Any], most: int, overlap: float, least: float) -> list[int]:
    order = [int(box) for box in np.argsort(-scores, kind="stable") if scores[box] > least]
    kept: list[int] = []
    for box in order:
        if len(kept) >= most:
            break
        if not kept or _largest_overlap(corners[box], corners[kept]) <= overlap:
            kept.append(box)
    return kept


def _largest_overlap(box: NDArray[Any], others: NDArray[Any]) -> float:
    """The largest ratio of the area that the box shares with another to the area of both together."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    area = np.prod(box[2:] - box[:2])
    union = area + np.prod(others[:, 2:] - others[:, :2], axis=1) - shared
    ratios = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return float(ratios.max())
