"""
DeepSpeech2: "End-to-End Speech Recognition in English and Mandarin" (Amodei et al., 2015).

In the sizes of Rammer's evaluation (OSDI 2020).
"""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import torch
from torch import nn

from rammer_ir.zoo.example import Example


class DeepSpeech2(nn.Module):
    """Two convolutions over time and frequency, recurrent layers, and scores of letters for every other frame."""

    def __init__(self, channels: int, frequencies: int, hidden: int, layers: int, letters: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, channels, (41, 11), (2, 2), (20, 5), bias=False),
            nn.ReLU6(),
            nn.BatchNorm2d(channels),
            nn.Conv2d(channels, channels, (21, 11), (2, 1), (10, 5), bias=False),
            nn.ReLU6(),
            nn.BatchNorm2d(channels),
        )
        self.recurrent = nn.LSTM(channels * ((frequencies + 1) // 2), hidden, layers)
        self.norm = nn.BatchNorm1d(hidden)
        self.letters = nn.Linear(hidden, letters)

    def forward(self, spectrogram: torch.Tensor) -> torch.Tensor:
        x = self.convolutions(spectrogram)
        frames = x.permute(2, 0, 3, 1).flatten(2)
        return self.letters(self.norm(self.recurrent(frames)[0].flatten(0, 1)))


def make_deepspeech2(small: bool) -> Example:
    module = DeepSpeech2(4, 15, 16, 2, 8) if small else DeepSpeech2(32, 171, 256, 7, 29)
    size = (24, 15) if small else (300, 171)
    return Example(module, {"spectrogram": torch.randn(1, 1, *size)}, ["scores"])
