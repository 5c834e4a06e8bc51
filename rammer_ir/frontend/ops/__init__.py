"""The importers of ONNX ops, one file a family; importing this package registers them."""

from rammer_ir.frontend.ops import (
    activations,
    binary,
    concat,
    contraction,
    convolution,
    inference,
    normalization,
    padding,
    pooling,
    recurrent,
    reduction,
    softmax,
    transposed_convolution,
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
    "padding",
    "pooling",
    "recurrent",
    "reduction",
    "softmax",
    "transposed_convolution",
    "unary",
    "views",
]
