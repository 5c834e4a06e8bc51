"""ViT-B/16: "An Image is Worth 16x16 Words" (Dosovitskiy et al., 2020)."""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import torch
from torch import nn

from rammer_ir.zoo.example import Example


class VisionTransformer(nn.Module):
    """Patches as tokens behind a class token, through PyTorch's own encoder with normalisation first."""

    def __init__(self, layers: int, width: int, heads: int, image: int, patch: int, classes: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.first_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, (image // patch) ** 2 + 1, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, activation="gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
        )
        norm = nn.LayerNorm(width, eps=1e-6)
        self.encoder = nn.TransformerEncoder(layer, layers, norm, enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.first_token.expand(x.shape[0], -1, -1), x], 1)
        return self.head(self.encoder(x + self.positions)[:, 0])


def make_vit_b16(small: bool) -> Example:
    size = 32 if small else 224
    module = VisionTransformer(2, 32, 4, size, 8, 10) if small else VisionTransformer(12, 768, 12, size, 16, 1000)
    return Example(module, {"image": torch.randn(1, 3, size, size)}, ["scores"])
