"""
AlexNet: "One weird trick for parallelizing convolutional neural networks" (Krizhevsky, 2014).

As in Rammer's evaluation (OSDI 2020).
"""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import torch
from torch import nn

from rammer_ir.zoo.example import Example

CONVOLUTIONS = (
    (64, 11, 4, True),
    (192, 5, 1, True),
    (384, 3, 1, False),
    (384, 3, 1, False),
    (256, 3, 1, True),
)
"""Channels, size and stride of each, and whether pooling follows."""


def make_alexnet(small: bool) -> Example:
    scale, hidden, classes, size = (8, 64, 10, 67) if small else (1, 4096, 1000, 227)
    layers: list[nn.Module] = []
    channels = 3
    for outputs, kernel, stride, pools in CONVOLUTIONS:
        padding = 0 if stride > 1 else kernel // 2
        layers += [nn.Conv2d(channels, outputs // scale, kernel, stride, padding), nn.ReLU()]
        channels = outputs // scale
        if pools:
            layers.append(nn.MaxPool2d(3, 2))
    features = channels * (1 if small else 36)
    layers += [nn.Flatten(), nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()]
    layers.append(nn.Linear(hidden, classes))
    return Example(nn.Sequential(*layers), {"image": torch.randn(1, 3, size, size)}, ["scores"])
