"""
The head of a detector in the style of YOLO: "YOLOv3: An Incremental Improvement" (Redmon and Farhadi, 2018).

Three maps of features become boxes, of which non-maximum suppression keeps some.
"""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import torch
from torch import nn

from rammer_ir.zoo.example import Example
from rammer_ir.zoo.suppression import TRANSLATIONS, non_maximum_suppression

ANCHORS = ((10, 13, 16, 30, 33, 23), (30, 61, 62, 45, 59, 119), (116, 90, 156, 198, 373, 326))
"""Widths and heights of three boxes at each scale, in pixels."""


class Head(nn.Module):
    """Boxes (x0, y0, x1, y1 in pixels), their scores and classes, the best first."""

    def __init__(self, channels: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.strides, self.classes = (8, 16, 32), classes
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inputs, inputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(inputs),
                nn.SiLU(),
                nn.Conv2d(inputs, 3 * (5 + classes), 1),
            )
            for inputs in channels
        )

    def boxes(self, features: torch.Tensor, stride: int, anchors: torch.Tensor) -> torch.Tensor:
        """[boxes, 5 + classes]: place, extent, and how likely it is a thing, and of each class."""
        rows, columns = features.shape[2:]
        values = features.view(3, 5 + self.classes, rows, columns).permute(0, 2, 3, 1).sigmoid()
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        centre = (values[..., :2] * 2 - 0.5 + torch.stack([x, y], -1)) * stride
        extent = (values[..., 2:4] * 2) ** 2 * anchors[:, None, None]
        box = torch.cat([centre - extent / 2, centre + extent / 2, values[..., 4:]], -1)
        return box.flatten(0, 2)

    def forward(self, *maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        found = [
            self.boxes(layer(features), stride, torch.tensor(anchors, dtype=torch.float32).view(3, 2))
            for layer, features, stride, anchors in zip(self.layers, maps, self.strides, ANCHORS, strict=True)
        ]
        boxes = torch.cat(found)
        scores, classes = (boxes[:, 5:] * boxes[:, 4:5]).max(1)
        # Boxes of other classes are moved out of each other's way.
        apart = boxes[:, :4] + classes[:, None].to(boxes.dtype) * 4096
        kept = non_maximum_suppression(apart, scores, 0.45)
        return boxes[kept, :4], scores[kept], classes[kept]


def make_detector(small: bool) -> Example:
    channels, size, classes = ((4, 8, 8), 64, 3) if small else ((128, 256, 512), 640, 80)
    maps = {
        f"features_{stride}": torch.randn(1, count, size // stride, size // stride)
        for stride, count in zip((8, 16, 32), channels, strict=True)
    }
    return Example(Head(channels, classes), maps, ["boxes", "scores", "classes"], TRANSLATIONS)
