"""Models for `pipeline_parallel.py`, each at its real size and at one for CPUs."""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Training = tuple[nn.Module, Callable[[int, int], Any], Callable[[Any, Any], Any]]


def _images(size: int, classes: int) -> Callable[[int, int], Any]:
    def batch(samples: int, step: int) -> Any:
        random = torch.Generator().manual_seed(step)
        images = torch.randn(samples, 3, size, size, generator=random)
        return images, torch.randint(0, classes, (samples,), generator=random)

    return batch


def _vgg19(width: int, size: int, hidden: int, classes: int) -> Training:
    layers: list[nn.Module] = []
    channels = 3
    for scale, count in ((1, 2), (2, 2), (4, 4), (8, 4), (8, 4)):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width * scale, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width * scale
        layers.append(nn.MaxPool2d(2))
    layers += [nn.Flatten(), nn.Linear(channels * (size // 32) ** 2, hidden), nn.ReLU(inplace=True)]
    layers += [nn.Linear(hidden, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, classes)]
    return nn.Sequential(*layers), _images(size, classes), nn.functional.cross_entropy


def make_vgg19() -> Training:
    return _vgg19(64, 224, 4096, 1000)


def make_vgg19_small() -> Training:
    return _vgg19(8, 32, 256, 10)


def _words(length: int, vocabulary: int) -> Callable[[int, int], Any]:
    def batch(samples: int, step: int) -> Any:
        random = torch.Generator().manual_seed(step)
        words = torch.randint(0, vocabulary, (samples, length + 1), generator=random)
        return words[:, :-1].contiguous(), words[:, 1:].contiguous()

    return batch


def _word_loss(scores: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(scores.flatten(0, 1), words.flatten())


class Embedding(nn.Module):
    def __init__(self, vocabulary: int, length: int, size: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, size)
        self.positions = nn.Parameter(torch.randn(length, size) * 0.02)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.words(words) + self.positions


def _bert(layers: int, size: int, heads: int, length: int, vocabulary: int) -> Training:
    blocks = [
        nn.TransformerEncoderLayer(size, heads, 4 * size, dropout=0.0, activation="gelu", batch_first=True)
        for _ in range(layers)
    ]
    model = nn.Sequential(Embedding(vocabulary, length, size), *blocks, nn.Linear(size, vocabulary))
    return model, _words(length, vocabulary), _word_loss


def make_bert() -> Training:
    return _bert(24, 1024, 16, 128, 30522)


def make_bert_small() -> Training:
    return _bert(4, 64, 4, 16, 128)


class RelativeBlock(nn.Module):
    """A layer of XLNet: attention by content and by relative position, and two dense layers."""

    def __init__(self, size: int, heads: int, length: int) -> None:
        super().__init__()
        self.heads, self.length = heads, length
        self.queries_keys_values = nn.Linear(size, 3 * size, bias=False)
        self.positions = nn.Linear(size, size, bias=False)
        self.distance = nn.Parameter(torch.randn(2 * length, size) * 0.02)
        self.content_bias = nn.Parameter(torch.zeros(heads, size // heads))
        self.position_bias = nn.Parameter(torch.zeros(heads, size // heads))
        self.output = nn.Linear(size, size, bias=False)
        self.first_norm, self.second_norm = nn.LayerNorm(size), nn.LayerNorm(size)
        self.dense = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(), nn.Linear(4 * size, size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        samples, length, size = x.shape
        queries, keys, values = self.queries_keys_values(x).view(samples, length, 3, self.heads, -1).unbind(2)
        distance = self.positions(self.distance).view(2 * length, self.heads, -1)
        content = torch.einsum("bihd,bjhd->bhij", queries + self.content_bias, keys)
        position = torch.einsum("bihd,jhd->bhij", queries + self.position_bias, distance)
        # Row i of the distances begins length - i later: a shift by one row in memory.
        position = position.reshape(samples, self.heads, 2 * length, length)[:, :, 1:]
        position = position.reshape(samples, self.heads, length, 2 * length - 1)[..., :length]
        weights = ((content + position) * (size // self.heads) ** -0.5).softmax(-1)
        mixed = torch.einsum("bhij,bjhd->bihd", weights, values).reshape(samples, length, size)
        x = self.first_norm(x + self.output(mixed))
        return self.second_norm(x + self.dense(x))


def _xlnet(layers: int, size: int, heads: int, length: int, vocabulary: int) -> Training:
    blocks = [RelativeBlock(size, heads, length) for _ in range(layers)]
    model = nn.Sequential(nn.Embedding(vocabulary, size), *blocks, nn.Linear(size, vocabulary))
    return model, _words(length, vocabulary), _word_loss


def make_xlnet() -> Training:
    return _xlnet(36, 1024, 16, 128, 32000)


def make_xlnet_small() -> Training:
    return _xlnet(4, 64, 4, 16, 128)
