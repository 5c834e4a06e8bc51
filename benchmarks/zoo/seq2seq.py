"""
A translator of sequences as in Rammer's evaluation (OSDI 2020).

An encoder of 8 layers reads 100 steps, a decoder of 4 layers writes 30: it starts from the encoder's last cell state,
and reads its own output of the step before.
"""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import torch
from torch import nn

from rammer_ir.zoo.example import Example


class Translator(nn.Module):
    """The decoder's outputs, [steps, 1, size]."""

    def __init__(self, size: int, encoder_layers: int, decoder_layers: int, steps: int) -> None:
        super().__init__()
        self.size, self.steps = size, steps
        self.encoder = nn.LSTM(size, size, encoder_layers)
        self.decoder = nn.ModuleList(nn.LSTMCell(size, size) for _ in range(decoder_layers))

    def forward(self, source: torch.Tensor) -> torch.Tensor:
        x = self.encoder(source)[1][1][-1]
        states = [(x.new_zeros(1, self.size), x.new_zeros(1, self.size)) for _ in self.decoder]
        outputs: list[torch.Tensor] = []
        for _ in range(self.steps):
            for number, cell in enumerate(self.decoder):
                states[number] = cell(x, states[number])
                x = states[number][0]
            outputs.append(x)
        return torch.stack(outputs)


def make_seq2seq(small: bool) -> Example:
    module = Translator(16, 2, 2, 3) if small else Translator(128, 8, 4, 30)
    source = torch.randn(5, 1, 16) if small else torch.randn(100, 1, 128)
    return Example(module, {"source": source}, ["target"])
