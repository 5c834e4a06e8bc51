"""Non-maximum suppression as an op of PyTorch, and what it is in ONNX: torchvision has one, but is one package more."""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import torch
from onnxscript import FLOAT, INT64
from onnxscript import opset20 as op


@torch.library.custom_op("zoo::non_maximum_suppression", mutates_args=())
def non_maximum_suppression(boxes: torch.Tensor, scores: torch.Tensor, most_overlap: float) -> torch.Tensor:
    """
    Numbers of boxes, the best first, that overlap no better one by more than a share of the area of both.

    Boxes are [count, 4] (x0, y0, x1, y1), scores [count].
    """
    kept: list[int] = []
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    pending = scores.argsort(descending=True, stable=True)
    while len(pending):
        best, pending = pending[0], pending[1:]
        kept.append(int(best))
        low, high = boxes[pending, :2].maximum(boxes[best, :2]), boxes[pending, 2:].minimum(boxes[best, 2:])
        common = (high - low).clamp(min=0).prod(1)
        pending = pending[common / (areas[pending] + areas[best] - common) <= most_overlap]
    return torch.tensor(kept, dtype=torch.int64, device=boxes.device)


@non_maximum_suppression.register_fake
def _(boxes: torch.Tensor, scores: torch.Tensor, most_overlap: float) -> torch.Tensor:
    return boxes.new_empty(torch.library.get_ctx().new_dynamic_size(), dtype=torch.int64)


def onnx_suppression(boxes: FLOAT, scores: FLOAT, most_overlap: float) -> INT64:
    """The same in ONNX's terms, for the exporter."""
    everything = op.Constant(value_ints=[2**31 - 1])
    overlap = op.Constant(value_floats=[most_overlap])
    batch, classes = op.Constant(value_ints=[0]), op.Constant(value_ints=[0, 1])
    found = op.NonMaxSuppression(op.Unsqueeze(boxes, batch), op.Unsqueeze(scores, classes), everything, overlap)
    return op.Gather(found, op.Constant(value_int=2), axis=1)


TRANSLATIONS = {torch.ops.zoo.non_maximum_suppression.default: onnx_suppression}
"""For the exporter, by op."""
