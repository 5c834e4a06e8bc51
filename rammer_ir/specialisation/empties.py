"""Reductions of no elements: what they give is known, whatever their axes are."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import onnx

from rammer_ir.frontend.element_types import Array, DType
from rammer_ir.frontend.node import OutputType
from rammer_ir.frontend.schemas import normal_domain

_NEUTRAL: Final[dict[str, float]] = {
    "ReduceSum": 0.0,
    "ReduceSumSquare": 0.0,
    "ReduceL1": 0.0,
    "ReduceL2": 0.0,
    "ReduceProd": 1.0,
    "ReduceMean": float("nan"),
    "ReduceLogSum": float("-inf"),
    "ReduceLogSumExp": float("-inf"),
    "ReduceMax": float("-inf"),
    "ReduceMin": float("inf"),
}


def reduction_of_nothing(
    node: onnx.NodeProto, opset: int, arrays: Sequence[Array | None], types: Sequence[OutputType | None]
) -> Array | None:
    """What a reduction of a tensor without elements gives; None if the node is something else."""
    operand, output = arrays[0] if arrays else None, types[0]
    if normal_domain(node.domain) or node.op_type not in _NEUTRAL or operand is None or operand.size > 0:
        return None
    shape = None if output is None else output.static_shape
    if output is None or shape is None:
        return None
    return np.full(shape, _of_type(_NEUTRAL[node.op_type], output.dtype), output.dtype)


def _of_type(number: float, dtype: DType) -> float | int:
    """The number, or for a type without infinities its least or greatest."""
    if dtype.kind == "b":
        return number > 0
    if dtype.kind not in "iu" or np.isfinite(number):
        return number
    limits = np.iinfo(dtype.name)
    return 0 if np.isnan(number) else int(limits.min if number < 0 else limits.max)
