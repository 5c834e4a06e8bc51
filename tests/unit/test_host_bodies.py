"""Compiled bodies for one core against NumPy in float64: edges of tiles, chunks and images, and vectors cut short."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import helper, numpy_helper

import rammer_ir

Array = NDArray[np.float64]

GENERATOR = np.random.default_rng(5)
IMAGE = GENERATOR.standard_normal((1, 19, 17, 23)).astype(np.float32)
ROWS = GENERATOR.standard_normal((230, 150)).astype(np.float32)


def weight(*shape: int) -> NDArray[np.float32]:
    return GENERATOR.standard_normal(shape).astype(np.float32)


def windows(image: Array, size: int, stride: int, pad: int, fill: float) -> Array:
    """[channels, height, width, size, size]"""
    padded = np.pad(image[0], ((0, 0), (pad, pad), (pad, pad)), constant_values=fill)
    return sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::stride, ::stride]


def convolved(image: Array, filters: Array, stride: int, pad: int) -> Array:
    parts = windows(image, filters.shape[-1], stride, pad, 0.0)
    return np.einsum("chwij,ocij->ohw", parts, filters)[None]


def program(nodes: Sequence[onnx.NodeProto], weights: dict[str, NDArray[np.float32]]) -> rammer_ir.Program:
    """Of the inputs `image` and `rows`; the output of every node is one of the program."""
    kind = onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(name, kind, array.shape) for name, array in INPUTS.items()]
    outputs = [helper.make_tensor_value_info(node.output[0], kind, None) for node in nodes]
    constants = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(list(nodes), "bodies", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return rammer_ir.compile(model, device="cpu")


INPUTS: dict[str, NDArray[Any]] = {"image": IMAGE, "rows": ROWS}

WEIGHTS = {
    "wide": weight(70, 19, 3, 3),
    "few": weight(17, 19, 1, 1),
    "large": weight(33, 19, 5, 5),
    "matrix": weight(150, 100),
}

NODES = (
    helper.make_node("Conv", ["image", "wide"], ["border"], pads=[1, 1, 1, 1]),
    helper.make_node("Conv", ["image", "few"], ["point"]),
    helper.make_node("Conv", ["image", "large"], ["strided"], pads=[2, 2, 2, 2], strides=[2, 2]),
    helper.make_node("MatMul", ["rows", "matrix"], ["product"]),
    helper.make_node("MaxPool", ["image"], ["pooled"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    helper.make_node("GlobalAveragePool", ["image"], ["average"]),
    helper.make_node("Softmax", ["rows"], ["shares"], axis=1),
)


def expected() -> dict[str, Array]:
    image, rows = IMAGE.astype(np.float64), ROWS.astype(np.float64)
    exact = {name: array.astype(np.float64) for name, array in WEIGHTS.items()}
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    return {
        "border": convolved(image, exact["wide"], 1, 1),
        "point": convolved(image, exact["few"], 1, 0),
        "strided": convolved(image, exact["large"], 2, 2),
        "product": rows @ exact["matrix"],
        "pooled": windows(image, 3, 2, 1, -np.inf).max(axis=(3, 4))[None],
        "average": image.mean(axis=(2, 3), keepdims=True),
        "shares": powers / powers.sum(axis=1, keepdims=True),
    }


@pytest.fixture(scope="module")
def results() -> dict[str, NDArray[Any]]:
    with program(NODES, WEIGHTS) as loaded:
        return dict(loaded.run(INPUTS))


@pytest.mark.parametrize("name", [node.output[0] for node in NODES])
def test_results(results: dict[str, NDArray[Any]], name: str) -> None:
    np.testing.assert_allclose(results[name], expected()[name], rtol=1e-5, atol=2e-5)
