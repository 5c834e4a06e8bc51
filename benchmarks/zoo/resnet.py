"""
ResNet-50: "Deep Residual Learning for Image Recognition" (He et al., 2015).

The stride is in the 3 x 3 convolution, as in PyTorch's own.
"""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import torch
from torch import nn

from rammer_ir.zoo.example import Example


def convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps the image's size but for the stride, and batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False), nn.BatchNorm2d(outputs)
    )


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3, 1 x 1 around which the input is added; the input goes through a 1 x 1 where shapes differ."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.reduce = convolution(inputs, width, 1)
        self.middle = convolution(width, width, 3, stride)
        self.expand = convolution(width, outputs, 1)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else convolution(inputs, outputs, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.middle(self.reduce(x).relu()).relu()
        return (self.expand(y) + self.shortcut(x)).relu()


def make_resnet50(small: bool) -> Example:
    width, blocks, classes, size = (8, (1, 1), 10, 32) if small else (64, (3, 4, 6, 3), 1000, 224)
    layers: list[nn.Module] = [convolution(3, width, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = width
    for stage, count in enumerate(blocks):
        for block in range(count):
            layers.append(Bottleneck(channels, width << stage, 2 if stage and not block else 1))
            channels = 4 * (width << stage)
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
    return Example(nn.Sequential(*layers), {"image": torch.randn(1, 3, size, size)}, ["scores"])
