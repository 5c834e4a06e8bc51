"""The importers of ONNX ops, one file a family; importing this package registers them."""

from rammer_ir.frontend.ops import (
    activations,
    binary,
    concat,
    contraction,
    convolution,
    inference,
    normalization,
    pooling,
    recurrent,
    reduction,
    softmax,
    unary,
    views,
)

__all__ = [
    "activations",
    "binary",
    "concat",
    "contraction",
    "convolution",
    "inference",
    "normalization",
    "pooling",
    "recurrent",
    "reduction",
    "softmax",
    "unary",
    "views",
]
