"""
ResNeXt: "Aggregated Residual Transformations for Deep Neural Networks" (Xie et al., 2016).

In the sizes of Rammer's evaluation (OSDI 2020): ResNeXt-29 16x64d on CIFAR-10, whose shortcuts pool and pad, and
ResNeXt-101 64x4d on ImageNet. A block's paths are one grouped convolution, or (as Rammer has them) separate branches.
"""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import torch
import torch.nn.functional as functional
from torch import nn

from rammer_ir.zoo.example import Example
from rammer_ir.zoo.resnet import convolution


class Branches(nn.Module):
    """1 x 1, then 3 x 3, in separate branches whose results are put side by side."""

    def __init__(self, inputs: int, paths: int, width: int, stride: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(convolution(inputs, width, 1, stride), nn.ReLU(), convolution(width, width, 3), nn.ReLU())
            for _ in range(paths)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def grouped(inputs: int, paths: int, width: int, stride: int) -> nn.Sequential:
    """The same as one grouped convolution."""
    outputs = paths * width
    middle = nn.Conv2d(outputs, outputs, 3, padding=1, groups=paths, bias=False)
    return nn.Sequential(convolution(inputs, outputs, 1, stride), nn.ReLU(), middle, nn.BatchNorm2d(outputs), nn.ReLU())


class PooledShortcut(nn.Module):
    """A mean of 2 x 2 pixels, and channels of zeros on both sides."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added = (self.channels - x.shape[1]) // 2
        return functional.pad(functional.avg_pool2d(x, 2), (0, 0, 0, 0, added, added))


class Block(nn.Module):
    """The paths, a 1 x 1 convolution, and the input added."""

    def __init__(self, paths: nn.Module, width: int, outputs: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.paths, self.expand, self.shortcut = paths, convolution(width, outputs, 1), shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.expand(self.paths(x)) + self.shortcut(x)).relu()


def _resnext29(small: bool, *, separate: bool) -> Example:
    paths, width, blocks, base = (4, 8, 1, 16) if small else (16, 64, 3, 64)
    layers: list[nn.Module] = [convolution(3, base, 3), nn.ReLU()]
    channels = base
    for stage in range(2 if small else 3):
        outputs = base << stage
        for _ in range(blocks):
            stride = 1 if channels == outputs else 2
            make = Branches if separate else grouped
            shortcut = PooledShortcut(outputs) if stride == 2 else nn.Identity()
            layers.append(Block(make(channels, paths, width, stride), paths * width, outputs, shortcut))
            channels = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10, bias=False)]
    size = 16 if small else 32
    return Example(nn.Sequential(*layers), {"image": torch.randn(1, 3, size, size)}, ["scores"])


def make_resnext29(small: bool) -> Example:
    return _resnext29(small, separate=False)


def make_resnext29_branches(small: bool) -> Example:
    return _resnext29(small, separate=True)


def _resnext101(small: bool, *, separate: bool) -> Example:
    paths, base, blocks, size = (4, 16, (1, 1), 32) if small else (64, 256, (3, 4, 23, 3), 224)
    channels = base // 4
    layers: list[nn.Module] = [convolution(3, channels, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    for stage, count in enumerate(blocks):
        outputs = base << stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            make = Branches if separate else grouped
            shortcut = nn.Identity() if channels == outputs else convolution(channels, outputs, 1, stride)
            layers.append(Block(make(channels, paths, outputs // paths, stride), outputs, outputs, shortcut))
            channels = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10 if small else 1000)]
    return Example(nn.Sequential(*layers), {"image": torch.randn(1, 3, size, size)}, ["scores"])


def make_resnext101(small: bool) -> Example:
    return _resnext101(small, separate=False)


def make_resnext101_branches(small: bool) -> Example:
    return _resnext101(small, separate=True)
