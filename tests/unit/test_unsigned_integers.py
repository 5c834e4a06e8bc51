"""Unsigned integers, from the model's types to what a program gives back."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.onnx_models import graph_model, node_model
from rammer_ir.testing.typed_programs import check_everywhere


def numbers(width: int, *shape: int, seed: int = 0) -> NDArray[Any]:
    """Numbers of all sizes, of which half are negative if read as signed."""
    values = np.random.default_rng(seed).integers(0, 1 << 63, shape, np.uint64) << np.uint64(1)
    return (values >> np.uint64(64 - width)).astype(f"uint{width}")


@pytest.mark.parametrize("width", [8, 64])
def test_arithmetic(width: int) -> None:
    inputs = {"a": numbers(width, 3, 8), "b": numbers(width, 3, 8, seed=1) | 1}
    a, b = inputs.values()
    expected = {
        "Sub": a - b,
        "Div": a // b,
        "Max": np.maximum(a, b),
        "Greater": a > b,
    }
    nodes = [helper.make_node(name, ["a", "b"], [name]) for name in expected]
    check_everywhere(graph_model(nodes, inputs, list(expected)), inputs, expected)


@pytest.mark.parametrize("width", [8, 32])
def test_reductions_and_weights(width: int) -> None:
    inputs, weight = {"x": numbers(width, 4, 700)}, numbers(width, 4, 1, seed=2)
    x = inputs["x"] - weight
    expected = {"ReduceMax": x.max(1, keepdims=True)}
    if width >= 32:
        expected = {"ReduceMin": x.min(1, keepdims=True), "ReduceSum": x.sum(1, keepdims=True, dtype=x.dtype)}
    nodes = [helper.make_node("Sub", ["x", "w"], ["d"])]
    nodes += [helper.make_node(name, ["d", "axis"], [name]) for name in expected]
    model = graph_model(
        nodes, inputs, list(expected), constants={"w": weight, "axis": np.array([1], np.int64)}, opset=20
    )
    check_everywhere(model, inputs, expected)


def test_conversions() -> None:
    width = 16
    x = numbers(width, 64)
    inputs = {"x": x, "f": x.astype(np.float32), "i": x.view(f"int{width}")}
    expected = {
        "float": x.astype(np.float64),
        "signed": x.view(f"int{width}"),
        "unsigned": x,
        "wide": x.astype(np.int64),
        "narrow": x.astype(np.uint8),
        "true": x != 0,
        "from_float": x,
    }
    to = {
        "float": ("x", TensorProto.DOUBLE),
        "signed": ("x", helper.np_dtype_to_tensor_dtype(np.dtype(f"int{width}"))),
        "unsigned": ("i", helper.np_dtype_to_tensor_dtype(x.dtype)),
        "wide": ("x", TensorProto.INT64),
        "narrow": ("x", TensorProto.UINT8),
        "true": ("x", TensorProto.BOOL),
        "from_float": ("f", helper.np_dtype_to_tensor_dtype(x.dtype)),
    }
    nodes = [helper.make_node("Cast", [source], [name], to=element) for name, (source, element) in to.items()]
    check_everywhere(graph_model(nodes, inputs, list(expected)), inputs, expected)


def test_pooling_pads_with_zeros() -> None:
    x = numbers(8, 1, 2, 5, 5)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    model = node_model("MaxPool", {"x": x}, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    check_everywhere(model, {"x": x}, {"y": windows.max((4, 5))})


def test_matrix_products_wrap() -> None:
    a, b = numbers(32, 5, 40), numbers(32, 40, 7, seed=1)
    with np.errstate(over="ignore"):
        expected = a @ b
    check_everywhere(node_model("MatMul", {"a": a}, constants={"b": b}), {"a": a}, {"y": expected})


def test_the_ir_is_signless() -> None:
    a = numbers(8, 3)
    text = str(import_model(node_model("Max", {"a": a, "b": a})).module)
    assert "ui8" not in text
    assert "arith.maxui" in text
    assert text.count('rop.element_type = "uint8"') == 3
