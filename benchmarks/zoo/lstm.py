"""
A long short-term memory of 10 layers and 100 steps, as in Rammer's evaluation (OSDI 2020): the last step's output.

By PyTorch's own layer, and by cells of eight matrix products each, one after the other.
"""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import torch
from torch import nn

from rammer_ir.zoo.example import Example


class LastStep(nn.Module):
    """PyTorch's LSTM, of which the last step counts."""

    def __init__(self, size: int, layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(size, size, layers)

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        return self.lstm(sequence)[0][-1]


class Cell(nn.Module):
    """A cell whose gates (input, candidate, forget, output) have products of their own."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.of_input = nn.ParameterList(torch.randn(size, size) * size**-0.5 for _ in range(4))
        self.of_state = nn.ParameterList(torch.randn(size, size) * size**-0.5 for _ in range(4))
        self.biases = nn.ParameterList(0.1 * torch.randn(size) for _ in range(4))

    def forward(self, x: torch.Tensor, hidden: torch.Tensor, cell: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        weights = zip(self.of_input, self.of_state, self.biases, strict=True)
        entry, candidate, forget, exit = (x @ first + hidden @ second + bias for first, second, bias in weights)
        cell = cell * (forget + 1.0).sigmoid() + entry.sigmoid() * candidate.tanh()
        return cell.tanh() * exit.sigmoid(), cell


class Unrolled(nn.Module):
    """Cells, step by step and layer by layer."""

    def __init__(self, size: int, layers: int) -> None:
        super().__init__()
        self.size = size
        self.cells = nn.ModuleList(Cell(size) for _ in range(layers))

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        states = [(sequence.new_zeros(1, self.size), sequence.new_zeros(1, self.size)) for _ in self.cells]
        x = sequence[0]
        for step in range(sequence.shape[0]):
            x = sequence[step]
            for number, cell in enumerate(self.cells):
                states[number] = cell(x, *states[number])
                x = states[number][0]
        return x


def make_lstm(small: bool) -> Example:
    size, layers, steps = (16, 2, 5) if small else (256, 10, 100)
    return Example(LastStep(size, layers), {"sequence": torch.randn(steps, 1, size)}, ["last"])


def make_lstm_cells(small: bool) -> Example:
    size, layers, steps = (16, 2, 3) if small else (256, 10, 100)
    return Example(Unrolled(size, layers), {"sequence": torch.randn(steps, 1, size)}, ["last"])
