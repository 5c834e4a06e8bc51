"""EfficientNet-B0: "Rethinking Model Scaling for Convolutional Neural Networks" (Tan and Le, 2019)."""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import torch
from torch import nn

from rammer_ir.zoo.example import Example


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3),
        nn.SiLU(),
    )


class SqueezeExcitation(nn.Module):
    """Channels scaled by a function of their means."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.gates = nn.Sequential(
            nn.Conv2d(channels, squeezed, 1), nn.SiLU(), nn.Conv2d(squeezed, channels, 1), nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gates(self.pool(x))


class MobileBlock(nn.Module):
    """An inverted residual with squeeze and excitation."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        expand = [_convolution(inputs, hidden, 1)] if expansion > 1 else []
        self.layers = nn.Sequential(
            *expand,
            _convolution(hidden, hidden, size, stride, hidden),
            SqueezeExcitation(hidden, max(1, inputs // 4)),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3),
        )
        self.adds_input = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.adds_input else self.layers(x)


STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
"""Expansion, size of the depthwise convolution, stride, channels and blocks of each stage."""


def make_efficientnet_b0(small: bool) -> Example:
    small_stages = ((1, 3, 1, 8, 1), (3, 5, 2, 16, 2))
    stages, last, classes, size = (small_stages, 32, 10, 32) if small else (STAGES, 1280, 1000, 224)
    channels = 16 if small else 32
    layers: list[nn.Module] = [_convolution(3, channels, 3, 2)]
    for expansion, kernel, stride, outputs, blocks in stages:
        for block in range(blocks):
            layers.append(MobileBlock(channels, outputs, kernel, 1 if block else stride, expansion))
            channels = outputs
    layers += [_convolution(channels, last, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    layers += [nn.Dropout(0.2), nn.Linear(last, classes)]
    return Example(nn.Sequential(*layers), {"image": torch.randn(1, 3, size, size)}, ["scores"])
