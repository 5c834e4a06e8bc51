"""Element-wise ops against onnxruntime."""

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from numpy.typing import NDArray

from rammer_ir.testing.onnx_models import check_import, graph_model, node_model


def normal(*shape: int, dtype: Any = np.float32, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def positive(*shape: int, seed: int = 0) -> NDArray[Any]:
    return np.abs(normal(*shape, seed=seed)) + np.float32(0.1)


_UNARY = ["Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "Neg", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin"]
_ACTIVATIONS = ["Softplus", "Softsign", "Tanh", "Mish", "HardSwish", "Selu", "Elu", "LeakyRelu", "HardSigmoid", "Celu"]


@pytest.mark.parametrize("op_type", [*_UNARY, *_ACTIVATIONS])
def test_unary(op_type: str) -> None:
    values = normal(3, 5, seed=1) * 3
    values[0, :2] = 0, 90
    if op_type not in ("Exp", "Celu"):
        values[1, 0] = -90
    check_import(node_model(op_type, {"x": values}, opset=18), {"x": values})


@pytest.mark.parametrize("op_type", ["Log", "Sqrt"])
def test_unary_of_positive_numbers(op_type: str) -> None:
    check_import(node_model(op_type, {"x": positive(4)}), {"x": positive(4)})


@pytest.mark.parametrize("op_type", ["Sqrt", "Exp", "Sigmoid", "Softplus"])
@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_unary_of_other_floats(op_type: str, dtype: Any) -> None:
    values = np.abs(normal(3, 4, dtype=dtype))
    check_import(node_model(op_type, {"x": values}), {"x": values}, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("op_type", ["Abs", "Neg", "Sign"])
def test_unary_of_integers(op_type: str) -> None:
    values = np.array([-3, 0, 5], np.int32)
    check_import(node_model(op_type, {"x": values}), {"x": values})


@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [
        ("LeakyRelu", {"alpha": 0.3}),
        ("Elu", {"alpha": 2.0}),
        ("Selu", {"alpha": 2.0, "gamma": 3.0}),
        ("HardSigmoid", {"alpha": 0.4, "beta": 0.3}),
        ("ThresholdedRelu", {"alpha": 0.5}),
        ("Gelu", {}),
        ("Gelu", {"approximate": "tanh"}),
    ],
)
def test_activation_with_attributes(op_type: str, attributes: dict[str, Any]) -> None:
    values = normal(2, 7) * 2
    check_import(node_model(op_type, {"x": values}, opset=20, **attributes), {"x": values})


def test_leaky_relu_keeps_not_a_number() -> None:
    values = np.array([np.nan, -1, 1], np.float32)
    check_import(node_model("LeakyRelu", {"x": values}), {"x": values})


def test_parametric_relu_broadcasts_its_slope() -> None:
    values, slope = normal(2, 3, 4), normal(3, 1, seed=1)
    check_import(node_model("PRelu", {"x": values}, constants={"s": slope}), {"x": values})


@pytest.mark.parametrize("attributes", [{}, {"min": -0.5}, {"max": 0.5}, {"min": -0.5, "max": 0.5}])
def test_clip_by_attributes(attributes: dict[str, Any]) -> None:
    values = normal(3, 3)
    check_import(node_model("Clip", {"x": values}, opset=6, **attributes), {"x": values})


@pytest.mark.parametrize("order", [["x"], ["x", "low"], ["x", "", "high"], ["x", "low", "high"]])
def test_clip_by_constants(order: list[str]) -> None:
    values = normal(3, 3)
    bounds = {"low": np.asarray(-0.5, np.float32), "high": np.asarray(0.5, np.float32)}
    constants = {name: bounds[name] for name in order[1:] if name}
    check_import(node_model("Clip", {"x": values}, constants=constants, order=order), {"x": values})


def test_clip_by_computed_bounds() -> None:
    inputs = {"x": normal(3, 3), "low": np.asarray(-0.5, np.float32)}
    check_import(node_model("Clip", inputs), inputs)


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean"])
def test_binary(op_type: str) -> None:
    inputs = {"a": normal(2, 1, 4), "b": positive(3, 1)}
    check_import(node_model(op_type, inputs), inputs)


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_binary_of_integers(op_type: str, dtype: Any) -> None:
    inputs = {"a": np.array([-7, 7, 9], dtype), "b": np.array([2, -2, 4], dtype)}
    check_import(node_model(op_type, inputs), inputs)


@pytest.mark.parametrize("op_type", ["Max", "Min", "Sum", "Mean"])
def test_variadic(op_type: str) -> None:
    inputs = {"a": normal(2, 3), "b": normal(3, seed=1), "c": normal(1, 1, seed=2)}
    check_import(node_model(op_type, inputs), inputs)
    check_import(node_model(op_type, {"a": normal(2, 3)}), {"a": normal(2, 3)})


@pytest.mark.parametrize("op_type", ["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_comparison(op_type: str, dtype: Any) -> None:
    inputs = {"a": np.array([[1, 2, 3]], dtype), "b": np.array([[2], [3]], dtype)}
    check_import(node_model(op_type, inputs), inputs)


def test_comparison_with_not_a_number_is_false() -> None:
    inputs = {"a": np.array([np.nan, 1], np.float32), "b": np.array([np.nan, np.nan], np.float32)}
    check_import(node_model("Equal", inputs), inputs)


@pytest.mark.parametrize("op_type", ["And", "Or", "Xor"])
def test_logic(op_type: str) -> None:
    inputs = {"a": np.array([[False, True]]), "b": np.array([[False], [True]])}
    check_import(node_model(op_type, inputs), inputs)


def test_not() -> None:
    values = np.array([False, True])
    check_import(node_model("Not", {"x": values}), {"x": values})


def test_where() -> None:
    inputs = {"c": np.array([[True], [False]]), "a": normal(3), "b": normal(2, 3, seed=1)}
    check_import(node_model("Where", inputs), inputs)


@pytest.mark.parametrize("exponent", [0.5, 1.7, 2.0, 3.0])
def test_power_by_a_constant(exponent: float) -> None:
    values = positive(2, 3)
    check_import(node_model("Pow", {"x": values}, constants={"e": np.asarray(exponent, np.float32)}), {"x": values})


def test_power_of_negative_numbers_by_a_constant() -> None:
    check_import(node_model("Pow", {"x": normal(5)}, constants={"e": np.array([3], np.int64)}), {"x": normal(5)})


def test_power_of_tensors() -> None:
    inputs = {"a": positive(2, 3), "b": normal(3, seed=1)}
    check_import(node_model("Pow", inputs), inputs)


def test_square_of_integers() -> None:
    values = np.array([-3, 4], np.int32)
    check_import(node_model("Pow", {"x": values}, constants={"e": np.asarray(2, np.int32)}), {"x": values})


_TYPES = [np.float32, np.float64, np.float16, np.int32, np.int64, np.int8, np.bool_]


@pytest.mark.parametrize("source", _TYPES)
@pytest.mark.parametrize("target", _TYPES)
def test_cast(source: Any, target: Any) -> None:
    values = np.array([0, 1.75, -2.5, 3]).astype(source)
    to = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(target))
    check_import(node_model("Cast", {"x": values}, to=to), {"x": values})


def test_cast_between_formats_of_16_bits() -> None:
    values = normal(4)
    nodes = [
        onnx.helper.make_node("Cast", ["x"], ["b"], to=onnx.TensorProto.BFLOAT16),
        onnx.helper.make_node("Cast", ["b"], ["h"], to=onnx.TensorProto.FLOAT16),
        onnx.helper.make_node("Cast", ["h"], ["y"], to=onnx.TensorProto.FLOAT),
    ]
    check_import(graph_model(nodes, {"x": values}, ["y"]), {"x": values})


def test_cast_like() -> None:
    inputs = {"x": normal(3), "like": np.array([1], np.int32)}
    check_import(node_model("CastLike", inputs), inputs)


def test_known_numbers_become_constants_of_the_body() -> None:
    imported = check_import(
        node_model("Mul", {"x": normal(2, 3)}, constants={"c": np.array([[2.5]], np.float32)}), {"x": normal(2, 3)}
    )
    assert not imported.weights
    assert "arith.constant 2.5" in str(imported.module)


def test_large_integers_stay_exact() -> None:
    values, addend = np.array([1, 2], np.int64), np.asarray(2**62 + 1, np.int64)
    check_import(node_model("Add", {"x": values}, constants={"c": addend}), {"x": values})


@given(mutually_broadcastable_shapes(num_shapes=3, max_dims=4, max_side=4), st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_broadcasting(shapes: Any, random: Any) -> None:
    inputs = {
        name: normal(*shape, seed=random.randint(0, 99)) for name, shape in zip("abc", shapes.input_shapes, strict=True)
    }
    check_import(node_model("Sum", inputs), inputs)
