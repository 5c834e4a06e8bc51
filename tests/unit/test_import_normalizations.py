"""Normalisation by the batch's own statistics, of instances and by norms: imported and compiled."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper

from rammer_ir.errors import UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.compiled_models import check_compiled, check_cuda_compiles, nodes_model
from rammer_ir.testing.onnx_models import check_import, node_model

GENERATOR = np.random.default_rng(3)


def normal(*shape: int) -> NDArray[np.float32]:
    return GENERATOR.standard_normal(shape).astype(np.float32)


def channel_inputs(*shape: int) -> dict[str, NDArray[Any]]:
    channels = shape[1]
    others = {name: normal(channels) for name in ("scale", "bias", "mean")}
    return {"x": normal(*shape), **others, "variance": np.abs(normal(channels)) + np.float32(0.5)}


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 5), (3, 4, 5, 6)])
@pytest.mark.parametrize("attributes", [{}, {"momentum": 0.5, "epsilon": 0.01}])
def test_batches_in_training(shape: tuple[int, ...], attributes: dict[str, Any]) -> None:
    inputs = channel_inputs(*shape)
    outputs = ["y", "running_mean", "running_var"]
    model = node_model("BatchNormalization", inputs, opset=15, outputs=outputs, training_mode=1, **attributes)
    check_import(model, inputs, rtol=1e-4, atol=1e-5)


def test_batches_at_inference_are_those_of_older_opsets() -> None:
    inputs = channel_inputs(2, 3, 4)
    check_import(node_model("BatchNormalization", inputs, opset=7), inputs, rtol=1e-4, atol=1e-5)


def test_statistics_of_every_pixel_are_refused() -> None:
    inputs = channel_inputs(2, 3, 4)
    with pytest.raises(UnsupportedModelError, match="not per channel is not supported"):
        import_model(node_model("BatchNormalization", inputs, opset=7, spatial=0))


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 5, 4)])
def test_instances(shape: tuple[int, ...]) -> None:
    inputs = {"x": normal(*shape) + 3, "scale": normal(shape[1]), "bias": normal(shape[1])}
    check_import(node_model("InstanceNormalization", inputs, epsilon=0.01), inputs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_norms(order: int, axis: int) -> None:
    values = normal(2, 3, 4)
    check_import(node_model("LpNormalization", {"x": values}, p=order, axis=axis), {"x": values})


def test_nothing_has_norm_zero() -> None:
    values = np.zeros((2, 3), np.float32)
    check_import(node_model("LpNormalization", {"x": values}, opset=22), {"x": values})


def test_compiled() -> None:
    inputs = channel_inputs(2, 6, 5, 7)
    model = nodes_model(
        [
            helper.make_node("LpNormalization", ["x"], ["norms"], axis=1, p=1),
            helper.make_node("BatchNormalization", ["norms", *list(inputs)[1:]], ["y", "m", "v"], training_mode=1),
            helper.make_node("InstanceNormalization", ["y", "scale", "bias"], ["z"]),
        ],
        inputs,
        opset=21,
        outputs=["m", "v", "z"],
    )
    check_compiled(model, inputs, rtol=1e-4, atol=1e-5)
    check_cuda_compiles(model)
