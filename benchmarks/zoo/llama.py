"""
A block of a Llama-style model: RMSNorm, rotary embedding, grouped-query attention and SwiGLU.

"LLaMA: Open and Efficient Foundation Language Models" (Touvron et al., 2023), in the sizes of Llama 3.2 1B.
"""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import torch
import torch.nn.functional as functional
from torch import nn

from rammer_ir.zoo.example import Example


def rotated(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Pairs of elements, half a head apart, turned by angles."""
    low, high = x.chunk(2, -1)
    return x * cosine + torch.cat([-high, low], -1) * sine


class Block(nn.Module):
    """One layer; angles grow with the token's place."""

    def __init__(self, width: int, heads: int, shared_heads: int, hidden: int) -> None:
        super().__init__()
        self.size = width // heads
        self.query, self.output = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.key, self.value = (nn.Linear(width, shared_heads * self.size, bias=False) for _ in range(2))
        self.gate, self.up = (nn.Linear(width, hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(hidden, width, bias=False)
        self.attention_norm, self.norm = nn.RMSNorm(width, eps=1e-5), nn.RMSNorm(width, eps=1e-5)
        self.register_buffer("frequencies", 500000.0 ** -(torch.arange(0, self.size, 2) / self.size))

    def forward(self, x: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        angles = positions[:, None] * self.frequencies
        cosine, sine = (torch.cat([part, part], -1) for part in (angles.cos(), angles.sin()))
        normal = self.attention_norm(x)
        query, key, value = (
            part(normal).unflatten(-1, (-1, self.size)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(
            rotated(query, cosine, sine), rotated(key, cosine, sine), value, is_causal=True, enable_gqa=True
        )
        x = x + self.output(mixed.transpose(1, 2).flatten(2))
        normal = self.norm(x)
        return x + self.down(functional.silu(self.gate(normal)) * self.up(normal))


def make_llama_block(small: bool) -> Example:
    width, length = (32, 8) if small else (2048, 128)
    module = Block(width, 4, 2, 64) if small else Block(width, 32, 8, 8192)
    inputs = {"hidden_states": torch.randn(1, length, width), "positions": torch.arange(length, dtype=torch.float32)}
    return Example(module, inputs, ["output"])
