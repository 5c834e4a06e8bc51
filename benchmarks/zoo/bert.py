"""BERT-base: "Pre-training of Deep Bidirectional Transformers" (Devlin et al., 2018), on 128 tokens."""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import torch
import torch.nn.functional as functional
from torch import nn

from rammer_ir.zoo.example import Example, tokens


class Layer(nn.Module):
    """Attention and a perceptron, each added to its input and normalised."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.attention_norm, self.norm = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)
        self.expand, self.reduce = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = self.attention_norm(x + self.output(mixed.transpose(1, 2).flatten(2)))
        return self.norm(x + self.reduce(functional.gelu(self.expand(x))))


class Bert(nn.Module):
    """Embeddings of tokens, positions and segments, the layers, and the pooled first token."""

    def __init__(self, layers: int, width: int, heads: int, vocabulary: int, positions: int) -> None:
        super().__init__()
        self.tokens, self.segments = nn.Embedding(vocabulary, width), nn.Embedding(2, width)
        self.positions = nn.Embedding(positions, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.pooler = nn.Linear(width, width)

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor, segments: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.norm(self.tokens(ids) + self.segments(segments) + self.positions(places))
        # 0 where a token counts, a large negative number where it is padding.
        bias = (1.0 - mask[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min
        for layer in self.layers:
            x = layer(x, bias)
        return x, self.pooler(x[:, 0]).tanh()


def make_bert_base(small: bool) -> Example:
    vocabulary, length = (50, 12) if small else (30522, 128)
    module = Bert(2, 32, 4, vocabulary, 16) if small else Bert(12, 768, 12, vocabulary, 512)
    mask = torch.ones(1, length, dtype=torch.int64)
    mask[:, -length // 4 :] = 0
    segments = (torch.arange(length) >= length // 2).to(torch.int64)[None]
    inputs = {"input_ids": tokens(vocabulary, length), "attention_mask": mask, "token_type_ids": segments}
    return Example(module, inputs, ["last_hidden_state", "pooler_output"])
