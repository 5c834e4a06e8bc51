"""A small image model whose layers write their inputs in place."""

import torch
from torch import nn


def batch(samples: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(step)
    return torch.rand(samples, 3, 8, 8, generator=random), torch.randint(0, 4, (samples,), generator=random)


def make_model() -> object:
    features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3), nn.ReLU(inplace=True))
    model = nn.Sequential(features, nn.Flatten(), nn.Linear(128, 4))
    return model, batch, nn.functional.cross_entropy
