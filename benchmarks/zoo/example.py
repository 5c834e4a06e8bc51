"""A model of the zoo as PyTorch has it."""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Example:
    """A module with arguments for it by name, in order, and names for its results."""

    module: nn.Module
    inputs: Mapping[str, torch.Tensor]
    outputs: Sequence[str]
    translations: Mapping[Any, Callable[..., Any]] = field(default_factory=dict)
    """Ops that PyTorch's exporter does not know, in ONNX's terms."""


def tokens(vocabulary: int, length: int) -> torch.Tensor:
    """Random token numbers, int64 [1, length]."""
    return torch.randint(0, vocabulary, (1, length))
