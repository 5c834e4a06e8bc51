"""
GPT-2 small: "Language Models are Unsupervised Multitask Learners" (Radford et al., 2019).

The prompt's pass gives a cache of keys and values; a step for one token takes it and gives a longer one.
"""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import torch
import torch.nn.functional as functional
from torch import nn

from rammer_ir.zoo.example import Example, tokens


class Layer(nn.Module):
    """Causal attention to the past and the tokens given, and a perceptron; normalisation comes first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.attention_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.expand, self.reduce = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(
        self, x: torch.Tensor, past: tuple[torch.Tensor, torch.Tensor] | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        parts = self.query_key_value(self.attention_norm(x)).chunk(3, -1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=past is None)
        x = x + self.output(mixed.transpose(1, 2).flatten(2))
        return x + self.reduce(functional.gelu(self.expand(self.norm(x)), approximate="tanh")), key, value


class Gpt2(nn.Module):
    """Scores for the next token, and keys and values of all tokens so far."""

    def __init__(self, layers: int, width: int, heads: int, vocabulary: int, positions: int) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(positions, width)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.tokens.weight, std=0.02)

    def forward(self, ids: torch.Tensor, *past: torch.Tensor) -> tuple[torch.Tensor, ...]:
        first = past[0].shape[2] if past else 0
        x = self.tokens(ids) + self.positions(torch.arange(first, first + ids.shape[1], device=ids.device))
        cache: list[torch.Tensor] = []
        for number, layer in enumerate(self.layers):
            x, key, value = layer(x, (past[2 * number], past[2 * number + 1]) if past else None)
            cache += [key, value]
        return functional.linear(self.norm(x), self.tokens.weight), *cache


def _make(small: bool) -> tuple[Gpt2, int, int]:
    """The model, its vocabulary and a number of tokens."""
    if small:
        return Gpt2(2, 32, 4, 50, 16), 50, 8
    return Gpt2(12, 768, 12, 50257, 1024), 50257, 128


def _cache_names(module: Gpt2, prefix: str) -> list[str]:
    return [f"{prefix}_{number}_{part}" for number in range(len(module.layers)) for part in ("key", "value")]


def make_prefill(small: bool) -> Example:
    module, vocabulary, length = _make(small)
    outputs = ["logits", *_cache_names(module, "present")]
    return Example(module, {"input_ids": tokens(vocabulary, length)}, outputs)


def make_decode(small: bool) -> Example:
    module, vocabulary, length = _make(small)
    heads, width = module.layers[0].heads, module.norm.normalized_shape[0]
    past = {name: torch.randn(1, heads, length, width // heads) for name in _cache_names(module, "past")}
    return Example(module, {"input_ids": tokens(vocabulary, 1), **past}, ["logits", *_cache_names(module, "present")])
