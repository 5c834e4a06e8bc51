"""Small models of the kinds that matter, large enough to be cut into several tasks on three vEUs."""

from collections.abc import Callable
from typing import Final

import numpy as np
import onnx
from onnx import helper

from rammer_ir.demo.models import lstm_model, mlp_model
from rammer_ir.testing.onnx_models import Arrays, graph_model

OPSET: Final = 21


def convolution_model(channels: int = 4, size: int = 18) -> onnx.ModelProto:
    """
    A convolution and a pool, two convolutions side by side whose results are concatenated, and the mean of each image.

    Input [1, 3, size, size], output [1, 7 * channels, 1, 1].
    """
    generator = np.random.default_rng(0)

    def filters(*shape: int) -> Arrays:
        scale = np.sqrt(2.0 / np.prod(shape[1:]))
        return {
            "weight": (scale * generator.standard_normal(shape)).astype(np.float32),
            "bias": generator.standard_normal(shape[0]).astype(np.float32),
        }

    layers = {
        "first": filters(4 * channels, 3, 3, 3),
        "narrow": filters(3 * channels, 4 * channels, 1, 1),
        "wide": filters(4 * channels, 4 * channels, 3, 3),
    }
    nodes = [
        *_convolution("first", "x", pads=[1, 1, 1, 1]),
        helper.make_node("MaxPool", ["first"], ["pooled"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        *_convolution("narrow", "pooled"),
        *_convolution("wide", "pooled", pads=[1, 1, 1, 1]),
        helper.make_node("Concat", ["narrow", "wide"], ["joined"], "concat", axis=1),
        helper.make_node("GlobalAveragePool", ["joined"], ["y"], "mean"),
    ]
    constants = {f"{name}_{part}": array for name, parts in layers.items() for part, array in parts.items()}
    image = {"x": np.zeros((1, 3, size, size), np.float32)}
    return graph_model(nodes, image, ["y"], constants=constants, opset=OPSET)


def _convolution(name: str, value: str, pads: list[int] | None = None) -> list[onnx.NodeProto]:
    """A convolution with its bias, then ReLU; the result is called as the node."""
    inputs = [value, f"{name}_weight", f"{name}_bias"]
    return [
        helper.make_node("Conv", inputs, [f"{name}_sum"], name, pads=[0] * 4 if pads is None else pads),
        helper.make_node("Relu", [f"{name}_sum"], [name], f"{name}_relu"),
    ]


SMALL_MODELS: Final[dict[str, Callable[[], onnx.ModelProto]]] = {
    "mlp": lambda: mlp_model((96, 192, 160, 40), batch=48),
    "convolutions": convolution_model,
    "lstm": lambda: lstm_model(layers=2, steps=4, hidden=96),
}
"""By what they consist of. Each takes `x` and gives `y`, float32."""


def small_inputs(model: onnx.ModelProto, seed: int = 0) -> Arrays:
    """Random inputs of a model whose inputs are floats."""
    generator = np.random.default_rng(seed)
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in model.graph.input
    }
    return {name: generator.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
