"""A small model with what makes cuts hard: a connection over stages, weights of its own, an LSTM, whole numbers."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.first = nn.Linear(size, size)
        self.second = nn.Linear(size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(torch.relu(self.first(x)))


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.position = nn.Parameter(torch.rand(1, 6, 16))
        self.blocks = nn.Sequential(*[Block(16) for _ in range(4)])
        self.recurrent = nn.LSTM(16, 16, batch_first=True)
        self.head = nn.Linear(32, 10)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        early = self.embedding(words) + self.position
        deep, _ = self.recurrent(self.blocks(early))
        rows = deep.reshape(deep.size(0) * deep.size(1), -1)  # no stage may end here: rows are no samples
        late = rows.view(deep.size(0), deep.size(1), 16)
        both = torch.cat([late, early], -1)
        return self.head(both).mean(1) + words.sum(1, keepdim=True) * 1e-3


def batch(samples: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(step)
    return torch.randint(0, 50, (samples, 6), generator=random), torch.randint(0, 10, (samples,), generator=random)


def make_model() -> object:
    return Branches(), batch, nn.functional.cross_entropy
