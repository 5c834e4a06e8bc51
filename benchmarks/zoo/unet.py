"""
U-Net: "Convolutional Networks for Biomedical Image Segmentation" (Ronneberger et al., 2015).

With padded convolutions, as most use it.
"""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

from itertools import pairwise

import torch
from torch import nn

from rammer_ir.zoo.example import Example


def _twice(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Images are halved `depth` times and doubled again, beside what they were on the way down."""

    def __init__(self, width: int, depth: int, classes: int) -> None:
        super().__init__()
        widths = [width << level for level in range(depth + 1)]
        self.first = _twice(3, width)
        self.down = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2), _twice(above, below)) for above, below in pairwise(widths)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(below, above, 2, stride=2) for below, above in pairwise(widths[::-1])
        )
        self.join = nn.ModuleList(_twice(2 * above, above) for above in widths[-2::-1])
        self.last = nn.Conv2d(width, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        levels = [self.first(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([levels.pop(), up(x)], 1))
        return self.last(x)


def make_unet(small: bool) -> Example:
    module, size = (UNet(8, 2, 2), 16) if small else (UNet(64, 4, 2), 256)
    return Example(module, {"image": torch.randn(1, 3, size, size)}, ["mask"])
