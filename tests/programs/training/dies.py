"""As branches.py, but the rank that DIES names ends in the second step without a word."""

import os

import torch
from branches import Branches, batch
from torch import nn


def dying_batch(samples: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    if step == 1 and os.environ["DIES"] == os.environ["RANK"]:
        os._exit(3)
    return batch(samples, step % 2)


def make_model() -> object:
    return Branches(), dying_batch, nn.functional.cross_entropy
