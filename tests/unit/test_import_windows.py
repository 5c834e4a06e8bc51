"""Convolution and pooling against onnxruntime."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rammer_ir.dialects.rop import GenericOp
from rammer_ir.errors import InvalidInputError, UnsupportedModelError
from rammer_ir.frontend.onnx_importer import ImportedModel, import_model
from rammer_ir.testing.onnx_models import check_import, node_model


def normal(*shape: int, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def generics(imported: ImportedModel) -> list[GenericOp]:
    return [op for op in imported.module.walk() if isinstance(op, GenericOp)]


@pytest.mark.parametrize(
    ("image", "filters", "attributes"),
    [
        ((1, 3, 9, 8), (4, 3, 3, 3), {}),
        ((2, 3, 9, 8), (4, 3, 3, 2), {"pads": [1, 0, 1, 1]}),
        ((1, 3, 9, 8), (4, 3, 3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
        ((1, 3, 9, 8), (4, 3, 3, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
        ((1, 3, 9, 8), (4, 3, 3, 3), {"pads": [0, 1, 2, 0], "dilations": [1, 2], "strides": [2, 1]}),
        ((1, 4, 6, 6), (6, 2, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
        ((2, 4, 6, 6), (4, 1, 3, 3), {"group": 4, "pads": [1, 1, 1, 1]}),
        ((1, 4, 6, 6), (8, 1, 3, 3), {"group": 4}),
        ((1, 6, 5, 5), (3, 2, 1, 1), {"group": 3}),
        ((1, 3, 5, 5), (4, 3, 1, 1), {}),
        ((1, 1, 5, 5), (1, 1, 1, 1), {}),
        ((1, 1, 7, 5), (2, 1, 3, 1), {}),
        ((1, 3, 9, 8), (4, 3, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ((1, 3, 9, 8), (4, 3, 2, 2), {"auto_pad": "SAME_LOWER"}),
        ((1, 3, 9, 8), (4, 3, 2, 2), {"auto_pad": "SAME_UPPER", "strides": [3, 2]}),
        ((1, 3, 9, 8), (4, 3, 3, 3), {"auto_pad": "VALID"}),
        ((2, 3, 11), (4, 3, 4), {"pads": [1, 2], "strides": [2]}),
        ((1, 2, 5, 6, 4), (3, 2, 3, 2, 2), {"pads": [1, 0, 1, 0, 1, 0]}),
        ((1, 4, 5, 6, 4), (4, 2, 2, 2, 2), {"group": 2}),
        ((1, 3, 3, 3), (4, 3, 3, 3), {"kernel_shape": [3, 3]}),
    ],
)
@pytest.mark.parametrize("has_bias", [False, True])
def test_conv(image: Any, filters: Any, attributes: dict[str, Any], has_bias: bool) -> None:
    inputs = {"x": normal(*image)}
    constants = {"w": normal(*filters, seed=1)} | ({"b": normal(filters[0], seed=2)} if has_bias else {})
    check_import(node_model("Conv", inputs, constants=constants, **attributes), inputs, atol=1e-5)


def test_conv_with_computed_filters() -> None:
    inputs = {"x": normal(1, 3, 6, 6), "w": normal(2, 3, 3, 3, seed=1), "b": normal(2, seed=2)}
    check_import(node_model("Conv", inputs), inputs, atol=1e-5)


def test_conv_of_one_group_is_a_plain_contraction() -> None:
    model = node_model("Conv", {"x": normal(1, 8, 5, 5)}, constants={"w": normal(4, 8, 1, 1)})
    (conv,) = generics(import_model(model))
    assert conv.bounds == (1, 4, 5, 5, 8)
    assert conv.pad is None


def test_groups_are_a_loop_of_their_own() -> None:
    model = node_model("Conv", {"x": normal(1, 8, 5, 5)}, constants={"w": normal(4, 4, 3, 3)}, group=2)
    (conv,) = generics(import_model(model))
    assert conv.bounds == (1, 2, 2, 3, 3, 4, 3, 3)


def test_padding_is_there_only_where_it_is_read() -> None:
    model = node_model(
        "Conv", {"x": normal(1, 1, 6, 6)}, constants={"w": normal(1, 1, 3, 3)}, pads=[0, 0, 1, 1], strides=[3, 3]
    )
    (conv,) = generics(import_model(model))
    assert conv.pad is None


def test_groups_that_do_not_divide_the_channels() -> None:
    model = node_model("Conv", {"x": normal(1, 4, 5, 5)}, constants={"w": normal(3, 2, 3, 3)}, group=2)
    with pytest.raises(UnsupportedModelError, match="has 2 groups for 4 channels"):
        import_model(model)


def test_channels_that_do_not_fit() -> None:
    model = node_model("Conv", {"x": normal(1, 4, 5, 5)}, constants={"w": normal(3, 2, 3, 3)})
    with pytest.raises((UnsupportedModelError, InvalidInputError), match='node "tested"'):
        import_model(model)


_POOLS = [
    ((1, 3, 8, 9), {"kernel_shape": [2, 2]}),
    ((2, 3, 8, 9), {"kernel_shape": [3, 3], "strides": [2, 2]}),
    ((1, 3, 8, 9), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ((1, 3, 8, 9), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 0, 1]}),
    ((1, 3, 8, 9), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    ((1, 3, 8, 9), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "pads": [1, 1, 1, 1]}),
    ((1, 3, 7, 7), {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1, "pads": [0, 0, 1, 1]}),
    ((1, 3, 8, 9), {"kernel_shape": [3, 2], "auto_pad": "SAME_UPPER"}),
    ((1, 3, 8, 9), {"kernel_shape": [3, 2], "auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ((1, 3, 8, 9), {"kernel_shape": [3, 2], "auto_pad": "VALID", "strides": [2, 1]}),
    ((1, 3, 12), {"kernel_shape": [3], "pads": [1, 1]}),
    ((1, 2, 4, 5, 6), {"kernel_shape": [2, 2, 3], "strides": [1, 2, 2]}),
]


@pytest.mark.parametrize(("shape", "attributes"), _POOLS)
def test_max_pool(shape: Any, attributes: dict[str, Any]) -> None:
    inputs = {"x": normal(*shape) - 5}
    check_import(node_model("MaxPool", inputs, **attributes), inputs)


def test_max_pool_with_dilations() -> None:
    inputs = {"x": normal(1, 2, 9, 9)}
    check_import(node_model("MaxPool", inputs, kernel_shape=[3, 2], dilations=[2, 3], pads=[1, 1, 1, 1]), inputs)


def test_max_pool_of_integers() -> None:
    inputs = {"x": np.arange(16, dtype=np.int8).reshape(1, 1, 4, 4) - 100}
    check_import(node_model("MaxPool", inputs, kernel_shape=[3, 3], pads=[1, 1, 1, 1]), inputs)


@pytest.mark.parametrize(("shape", "attributes"), _POOLS)
@pytest.mark.parametrize("count_include_pad", [0, 1])
def test_average_pool(shape: Any, attributes: dict[str, Any], count_include_pad: int) -> None:
    inputs = {"x": normal(*shape)}
    model = node_model("AveragePool", inputs, opset=19, count_include_pad=count_include_pad, **attributes)
    check_import(model, inputs)


def test_average_pool_with_dilations() -> None:
    inputs = {"x": normal(1, 2, 9, 9)}
    model = node_model("AveragePool", inputs, opset=19, kernel_shape=[3, 2], dilations=[2, 3], pads=[1, 1, 1, 1])
    check_import(model, inputs)


@pytest.mark.parametrize("op_type", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 2, 7), (1, 2, 2, 3, 4)])
def test_global_pool(op_type: str, shape: Any) -> None:
    inputs = {"x": normal(*shape)}
    check_import(node_model(op_type, inputs), inputs)


@pytest.mark.parametrize(
    ("image", "filters", "attributes"),
    [
        ((1, 3, 5, 4), (3, 2, 3, 3), {}),
        ((2, 4, 5, 4), (4, 3, 3, 2), {"group": 2, "strides": [2, 3], "pads": [1, 0, 0, 1]}),
        ((1, 3, 5, 4), (3, 2, 3, 3), {"strides": [2, 2], "output_padding": [1, 1], "dilations": [2, 1]}),
        ((1, 3, 5, 4), (3, 2, 3, 3), {"strides": [2, 2], "output_shape": [10, 8]}),
        ((1, 3, 5), (3, 2, 4), {"strides": [3], "auto_pad": "SAME_UPPER"}),
        ((1, 3, 5), (3, 2, 4), {"strides": [3], "auto_pad": "SAME_LOWER"}),
        ((1, 2, 3, 2, 4), (2, 3, 2, 2, 2), {"strides": [1, 2, 1]}),
    ],
)
def test_conv_transpose(image: Any, filters: Any, attributes: dict[str, Any]) -> None:
    inputs = {"x": normal(*image)}
    outputs = filters[1] * attributes.get("group", 1)
    constants = {"w": normal(*filters, seed=1), "b": normal(outputs, seed=2)}
    check_import(node_model("ConvTranspose", inputs, constants=constants, **attributes), inputs, atol=1e-5)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("op", ["LpPool", "GlobalLpPool"])
def test_norms_of_windows(op: str, p: int) -> None:
    inputs = {"x": normal(1, 2, 6, 5)}
    attributes: dict[str, Any] = {"kernel_shape": [3, 2], "strides": [2, 1]} if op == "LpPool" else {}
    check_import(node_model(op, inputs, p=p, **attributes), inputs)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
@pytest.mark.parametrize("pads", [[0, 2, 1, 1, 0, 0], [0, 0, 0, 0, 2, 2], [0, -1, 2, 0, -2, 1]])
def test_pad(mode: str, pads: list[int]) -> None:
    inputs = {"x": normal(2, 4, 5)}
    constants: dict[str, NDArray[Any]] = {"pads": np.array(pads, np.int64)}
    if mode == "constant":
        constants["value"] = np.array(1.5, np.float32)
    check_import(node_model("Pad", inputs, constants=constants, opset=19, mode=mode), inputs)


def test_pad_of_given_dimensions_and_by_attributes() -> None:
    inputs = {"x": normal(2, 4, 5)}
    constants = {"pads": np.array([1, 2], np.int64), "axes": np.array([-2], np.int64)}
    check_import(node_model("Pad", inputs, constants=constants, order=["x", "pads", "", "axes"], opset=19), inputs)
    check_import(node_model("Pad", inputs, opset=9, pads=[0, 1, 0, 0, 0, 2], value=2.5), inputs)


def test_reflection_of_more_than_there_is_is_refused() -> None:
    constants = {"pads": np.array([0, 4], np.int64)}
    model = node_model("Pad", {"x": normal(4)}, constants=constants, opset=19, mode="reflect")
    with pytest.raises(UnsupportedModelError, match="pads 4 elements by 4 in mode reflect"):
        import_model(model)
