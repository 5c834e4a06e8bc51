"""Reductions, Softmax and normalisations against onnxruntime."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rammer_ir.dialects.rop import GenericOp, WeightOp
from rammer_ir.errors import UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.onnx_models import check_import, node_model, run_imported


def normal(*shape: int, dtype: Any = np.float32, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


_REDUCTIONS = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"]
_OF_POSITIVES = ["ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"]


@pytest.mark.parametrize("op_type", [*_REDUCTIONS, *_OF_POSITIVES])
@pytest.mark.parametrize("axes", [None, (1,), (0, -1), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_reduction(op_type: str, axes: Any, keepdims: int) -> None:
    inputs = {"x": np.abs(normal(2, 3, 4)) + np.float32(0.1)}
    constants = {} if axes is None else {"axes": np.array(axes, np.int64)}
    check_import(node_model(op_type, inputs, constants=constants, opset=18, keepdims=keepdims), inputs)


@pytest.mark.parametrize("op_type", ["ReduceSum", "ReduceMean", "ReduceMax"])
@pytest.mark.parametrize("axes", [None, (1,), (0, 2)])
def test_reduction_by_attribute(op_type: str, axes: Any) -> None:
    inputs = {"x": normal(2, 3, 4)}
    attributes: dict[str, Any] = {} if axes is None else {"axes": list(axes)}
    check_import(node_model(op_type, inputs, opset=11, **attributes), inputs)


def test_reduction_of_nothing() -> None:
    inputs = {"x": normal(2, 3)}
    check_import(node_model("ReduceSum", inputs, noop_with_empty_axes=1), inputs)
    check_import(node_model("ReduceSumSquare", inputs, opset=18, noop_with_empty_axes=1), inputs)


@pytest.mark.parametrize("op_type", ["ReduceSum", "ReduceMax", "ReduceMin"])
def test_reduction_of_integers(op_type: str) -> None:
    inputs = {"x": np.array([[3, -4], [-7, 2]], np.int32)}
    check_import(node_model(op_type, inputs), inputs)


def test_reduction_over_computed_axes_is_refused() -> None:
    inputs = {"x": normal(2, 3), "axes": np.array([1], np.int64)}
    with pytest.raises(UnsupportedModelError, match=r"op ReduceSum \(opset 17\) needs constant axes"):
        import_model(node_model("ReduceSum", inputs))


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, -1, -2])
def test_softmax(op_type: str, opset: int, axis: int | None) -> None:
    inputs = {"x": normal(2, 3, 4) * 20}
    attributes: dict[str, Any] = {} if axis is None else {"axis": axis}
    check_import(node_model(op_type, inputs, opset=opset, **attributes), inputs)


def test_softmax_does_not_overflow() -> None:
    inputs = {"x": np.array([[1000, 999, -1000]], np.float32)}
    check_import(node_model("Softmax", inputs), inputs)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3), (1, 3, 7)])
def test_batch_normalization(shape: Any) -> None:
    inputs = {"x": normal(*shape)}
    constants = {name: normal(3, seed=seed) for seed, name in enumerate(("scale", "bias", "mean"), 1)}
    constants["var"] = np.abs(normal(3, seed=5))
    imported = check_import(
        node_model("BatchNormalization", inputs, constants=constants, epsilon=1e-3), inputs, atol=1e-5
    )
    assert sum(isinstance(op, WeightOp) and op.recipe is not None for op in imported.module.ops) == 2
    (function,) = [op for op in imported.module.ops if op.name == "func.func"]
    assert sum(isinstance(op, GenericOp) for op in function.walk()) == 1


def test_batch_normalization_by_computed_parameters() -> None:
    inputs = {"x": normal(1, 3, 2, 2), "scale": normal(3, seed=1), "bias": normal(3, seed=2)}
    constants = {"mean": normal(3, seed=3), "var": np.abs(normal(3, seed=4))}
    check_import(node_model("BatchNormalization", inputs, constants=constants), inputs, atol=1e-5)


def test_batch_normalization_of_16_bit_numbers_by_wider_statistics() -> None:
    inputs = {"x": normal(1, 3, 2, dtype=np.float16)}
    constants = {name: normal(3, dtype=np.float16, seed=seed) for seed, name in enumerate(("scale", "bias"), 1)}
    constants |= {"mean": normal(3, seed=3), "var": np.abs(normal(3, seed=4))}
    model = node_model("BatchNormalization", inputs, constants=constants, opset=15)
    check_import(model, inputs, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("has_bias", [False, True])
def test_layer_normalization(axis: int, has_bias: bool) -> None:
    inputs = {"x": normal(2, 3, 4) + 3}
    shape = inputs["x"].shape[axis:]
    constants = {"scale": normal(*shape, seed=1)} | ({"bias": normal(*shape, seed=2)} if has_bias else {})
    check_import(node_model("LayerNormalization", inputs, constants=constants, axis=axis), inputs, atol=1e-5)


def test_layer_normalization_gives_its_statistics() -> None:
    inputs = {"x": normal(2, 3, 4)}
    model = node_model(
        "LayerNormalization", inputs, constants={"scale": normal(4, seed=1)}, outputs=("y", "mean", "inverse")
    )
    check_import(model, inputs, atol=1e-5)


def test_layer_normalization_of_16_bit_numbers() -> None:
    inputs = {"x": normal(2, 8, dtype=np.float16)}
    constants = {"scale": normal(8, dtype=np.float16, seed=1)}
    check_import(node_model("LayerNormalization", inputs, constants=constants), inputs, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_local_response_normalization(size: int) -> None:
    inputs = {"x": normal(1, 6, 3, 2) * 10}
    check_import(node_model("LRN", inputs, size=size, alpha=0.01, beta=0.6, bias=2.0), inputs)


def test_local_response_normalization_over_an_even_number_of_channels() -> None:
    """onnxruntime does odd sizes only: an even window has its larger half behind the channel."""
    inputs = {"x": normal(1, 5, 2)}
    model = node_model("LRN", inputs, size=2, alpha=0.5, beta=0.6, bias=2.0)
    squares = np.pad(inputs["x"] ** 2, [(0, 0), (0, 1), (0, 0)])
    expected = inputs["x"] / (2 + 0.25 * (squares[:, :-1] + squares[:, 1:])) ** np.float32(0.6)
    (result,) = run_imported(import_model(model), inputs)
    np.testing.assert_allclose(result, expected, rtol=1e-5)
