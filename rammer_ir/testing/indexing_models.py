"""Small models of ops that compute indices, one a family, with inputs for them."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from rammer_ir.testing.onnx_models import graph_model, node_model

Arrays = Mapping[str, NDArray[Any]]


def _normal(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def _embedding() -> tuple[onnx.ModelProto, Arrays]:
    """Rows of a table that is a constant, and what follows them."""
    inputs = {"i": np.random.default_rng(0).integers(-50, 50, (3, 5)), "bias": _normal(24)}
    nodes = [helper.make_node("Gather", ["table", "i"], ["rows"]), helper.make_node("Add", ["rows", "bias"], ["y"])]
    return graph_model(nodes, inputs, ["y"], constants={"table": _normal(50, 24)}), inputs


def _projection() -> tuple[onnx.ModelProto, Arrays]:
    """A product and rows of a table, which do not depend on it, in one operator."""
    inputs = {"x": _normal(32, 16), "i": np.random.default_rng(0).integers(0, 9, (32,))}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Gather", ["table", "i"], ["rows"]),
        helper.make_node("Add", ["product", "rows"], ["y"]),
    ]
    return graph_model(nodes, inputs, ["y"], constants={"w": _normal(16, 32), "table": _normal(9, 32)}), inputs


def _search() -> tuple[onnx.ModelProto, Arrays]:
    inputs = {"x": _normal(4, 70)}
    nodes = [
        helper.make_node("TopK", ["x", "k"], ["values", "places"]),
        helper.make_node("ArgMin", ["x"], ["least"], axis=1),
        helper.make_node("Hardmax", ["x"], ["greatest"]),
    ]
    outputs = ["values", "places", "least", "greatest"]
    return graph_model(nodes, inputs, outputs, constants={"k": np.array([5])}), inputs


def _scatter() -> tuple[onnx.ModelProto, Arrays]:
    generator = np.random.default_rng(0)
    inputs: Arrays = {
        "x": _normal(9, 6),
        "i": generator.integers(-9, 9, (5, 6)),
        "u": _normal(5, 6),
        "rows": generator.integers(-9, 9, (4, 1)),
        "slices": _normal(4, 6),
    }
    nodes = [
        helper.make_node("ScatterElements", ["x", "i", "u"], ["sums"], reduction="add"),
        helper.make_node("ScatterND", ["sums", "rows", "slices"], ["y"]),
    ]
    return graph_model(nodes, inputs, ["y"], opset=18), inputs


def _resize() -> tuple[onnx.ModelProto, Arrays]:
    inputs = {"x": _normal(1, 3, 8, 6)}
    constants = {"s": np.array([1, 1, 1.5, 0.4], np.float32)}
    order = ["x", "", "s"]
    return node_model("Resize", inputs, constants=constants, order=order, opset=18, mode="cubic", antialias=1), inputs


def _grid_sample() -> tuple[onnx.ModelProto, Arrays]:
    grid = np.random.default_rng(0).uniform(-1.5, 1.5, (2, 5, 4, 2)).astype(np.float32)
    inputs = {"x": _normal(2, 3, 6, 7), "grid": grid}
    return node_model("GridSample", inputs, opset=20, padding_mode="reflection"), inputs


def _running_totals() -> tuple[onnx.ModelProto, Arrays]:
    inputs = {"x": _normal(3, 50)}
    return node_model("CumSum", inputs, constants={"axis": np.array(1)}, reverse=1), inputs


INDEXING_MODELS: Final[Mapping[str, Callable[[], tuple[onnx.ModelProto, Arrays]]]] = {
    "embedding": _embedding,
    "projection": _projection,
    "search": _search,
    "scatter": _scatter,
    "resize": _resize,
    "grid sample": _grid_sample,
    "running totals": _running_totals,
}
