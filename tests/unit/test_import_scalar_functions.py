"""Trigonometry, remainders, powers, bits and special numbers: imported and compiled, against onnxruntime and NumPy."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper

from rammer_ir.errors import UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.compiled_models import check_compiled, check_cuda_compiles, nodes_model
from rammer_ir.testing.onnx_models import check_import, node_model, run_evaluator, run_imported

GENERATOR = np.random.default_rng(7)
INTEGERS = [np.int8, np.int16, np.int32, np.int64]
UNSIGNED = [np.uint8, np.uint16, np.uint32, np.uint64]


def uniform(low: float, high: float, dtype: Any = np.float32) -> NDArray[Any]:
    return GENERATOR.uniform(low, high, (3, 7)).astype(dtype)


@pytest.mark.parametrize(
    ("op_type", "low", "high"),
    [
        ("Acos", -1, 1),
        ("Acosh", 1, 9),
        ("Asin", -1, 1),
        ("Asinh", -9, 9),
        ("Atan", -9, 9),
        ("Atanh", -0.99, 0.99),
        ("Cosh", -5, 5),
        ("Sinh", -5, 5),
        ("Tan", -1.5, 1.5),
    ],
)
def test_trigonometry(op_type: str, low: float, high: float) -> None:
    values = uniform(low, high)
    check_import(node_model(op_type, {"x": values}), {"x": values})


@pytest.mark.parametrize("attributes", [{}, {"lambd": 1.5}, {"lambd": 0.25, "bias": 0.75}])
def test_shrink(attributes: dict[str, Any]) -> None:
    values = uniform(-3, 3)
    check_import(node_model("Shrink", {"x": values}, **attributes), {"x": values})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_that_are_none(dtype: Any) -> None:
    values = np.array([0, np.inf, 3, -np.inf, np.nan, 1e30], dtype)
    check_import(node_model("IsNaN", {"x": values}, opset=20), {"x": values})
    for positive in (0, 1):
        for negative in (0, 1):
            model = node_model("IsInf", {"x": values}, opset=20, detect_positive=positive, detect_negative=negative)
            check_import(model, {"x": values})


@pytest.mark.parametrize("fmod", [0, 1])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_remainders_of_integers(dtype: Any, fmod: int) -> None:
    dividends = GENERATOR.integers(-100, 100, (5, 8)).astype(dtype)
    divisors = np.array([7, -7, 3, -3, 1, -1, 100, -100], dtype)
    check_import(node_model("Mod", {"a": dividends, "b": divisors}, fmod=fmod), {"a": dividends, "b": divisors})


@pytest.mark.parametrize("dtype", UNSIGNED)
def test_remainders_of_unsigned_integers(dtype: Any) -> None:
    most = np.iinfo(dtype).max
    inputs = {"a": np.array([[7], [most], [most - 5]], dtype), "b": np.array([1, 3, 100, most], dtype)}
    check_import(node_model("Mod", inputs), inputs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_remainders_of_floats(dtype: Any) -> None:
    dividends = np.array([7.5, -7.5, 0.25, -0.25, 6, 0, np.inf, np.nan], dtype)
    divisors = np.array([[2], [-2], [0.75], [np.inf], [0], [np.nan]], dtype)
    inputs = {"a": dividends, "b": divisors}
    with np.errstate(invalid="ignore"):
        check_import(node_model("Mod", inputs, fmod=1), inputs)


def test_remainders_of_floats_with_the_divisors_sign() -> None:
    inputs = {"a": uniform(-9, 9), "b": np.array([2, -2, 0.5, -0.5, 3, -3, 1], np.float32)}
    (result,) = run_imported(import_model(node_model("Mod", inputs, opset=28)), inputs)
    np.testing.assert_allclose(result, np.mod(inputs["a"], inputs["b"]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("base", [np.int32, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("exponent", [np.int32, np.int64, np.float32, np.float64])
def test_powers_of_all_types(base: Any, exponent: Any) -> None:
    inputs = {"a": GENERATOR.integers(1, 5, (2, 6)).astype(base), "b": np.array([0, 1, 2, 3, 4, 5], exponent)}
    check_import(node_model("Pow", inputs), inputs)


def test_powers_of_integers_wrap() -> None:
    inputs = {"a": np.array([[3], [-5]], np.int32), "b": np.array([19, 20, 40], np.int64)}
    (result,) = run_imported(import_model(node_model("Pow", inputs)), inputs)
    wanted = [[pow(base, exponent, 2**32) for exponent in (19, 20, 40)] for base in (3, -5)]
    np.testing.assert_array_equal(result.view(np.uint32), wanted)


def test_inverses_of_integers_are_cut() -> None:
    inputs = {"a": np.array([1, -1, -1, 2, -7], np.int32), "b": np.array([-3, -2, -3, -1, -2], np.int32)}
    (result,) = run_imported(import_model(node_model("Pow", inputs)), inputs)
    np.testing.assert_array_equal(result, [1, 1, -1, 0, 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32])
def test_powers_by_unsigned_integers(dtype: Any) -> None:
    """Also by numbers that look negative as signed ones."""
    inputs = {"a": np.array([[3], [1], [2]], np.int32), "b": np.array([0, 1, 5, 200], dtype)}
    (result,) = run_imported(import_model(node_model("Pow", inputs)), inputs)
    wanted = [[pow(base, exponent, 2**32) for exponent in (0, 1, 5, 200)] for base in (3, 1, 2)]
    np.testing.assert_array_equal(result.view(np.uint32), wanted)


@pytest.mark.parametrize("dtype", [*INTEGERS, *UNSIGNED])
@pytest.mark.parametrize("op_type", ["BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot"])
def test_bits(op_type: str, dtype: Any) -> None:
    limits = np.iinfo(dtype)
    inputs = {
        name: GENERATOR.integers(limits.min, limits.max, shape, dtype) for name, shape in (("a", (4, 5)), ("b", (5,)))
    }
    if op_type == "BitwiseNot":
        del inputs["b"]
    check_import(node_model(op_type, inputs, opset=18), inputs)


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
@pytest.mark.parametrize("dtype", [*INTEGERS, *UNSIGNED])
def test_shifts(dtype: Any, direction: str) -> None:
    limits = np.iinfo(dtype)
    distances = np.array([0, 1, 3, limits.bits - 1, limits.bits, 100, -1])
    inputs = {
        "x": GENERATOR.integers(limits.min, limits.max, (4, 1), dtype),
        "by": distances.astype(dtype),
    }
    model = node_model("BitShift", inputs, opset=28, direction=direction)
    (result,) = run_imported(import_model(model), inputs)
    (wanted,) = run_evaluator(model, inputs)
    np.testing.assert_array_equal(result, wanted)


def test_a_shift_needs_a_direction() -> None:
    inputs = {"x": np.array([1], np.int32), "by": np.array([1], np.int32)}
    with pytest.raises(UnsupportedModelError, match="direction that is not known: 'UP'"):
        import_model(node_model("BitShift", inputs, opset=28, direction="UP"))


def test_compiled() -> None:
    """Programs of sums of all of them, so that there are few bodies."""
    inputs = {
        "x": uniform(-0.9, 0.9),
        "a": GENERATOR.integers(-50, 50, (3, 7)).astype(np.int32),
        "b": np.array([1, -2, 3, -4, 5, -6, 7], np.int32),
        "c": np.array([0, 1, 2, 3, 4, 5, 9], np.int32),
    }
    unary = ["Acos", "Asin", "Asinh", "Atan", "Atanh", "Cosh", "Sinh", "Tan", "Shrink", "ThresholdedRelu"]
    floats = [helper.make_node(op_type, ["x"], [op_type]) for op_type in unary]
    binary = ["Mod", "BitwiseAnd", "BitwiseXor"]
    integers = [helper.make_node(op_type, ["a", "b"], [op_type]) for op_type in binary]
    integers.append(helper.make_node("BitwiseNot", ["a"], ["BitwiseNot"]))
    integers.append(helper.make_node("Mod", ["a", "b"], ["fmod"], fmod=1))
    integers.append(helper.make_node("Pow", ["a", "c"], ["Pow"]))
    model = nodes_model(
        [
            *floats,
            helper.make_node("Mod", ["x", "Tan"], ["remainder"], fmod=1),
            helper.make_node("Sum", [*unary, "remainder"], ["floats"]),
            *integers,
            helper.make_node("BitShift", ["BitwiseNot", "b"], ["shifted"], direction="RIGHT"),
        ],
        inputs,
        opset=28,
        outputs=["floats", "Mod", "fmod", "BitwiseXor", "Pow", "shifted"],
    )
    check_compiled(model, inputs)
    check_cuda_compiles(model)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_remainders_of_floats_are_exact(dtype: Any) -> None:
    """Also where the quotient is large, or rounds to a whole number."""
    special = np.array([1e12, -1e12, 0.3, -0.3, 6, np.inf], dtype)
    dividends = np.concatenate([uniform(-1e5, 1e5, dtype).ravel(), special])
    inputs = {"a": dividends, "b": np.array([[0.1], [-0.1], [0.3], [7.25], [-np.inf]], dtype)}
    model = nodes_model([helper.make_node("Mod", ["a", "b"], ["y"], fmod=1)], inputs)
    with np.errstate(invalid="ignore"):
        check_compiled(model, inputs, {"y": np.fmod(inputs["a"], inputs["b"])}, rtol=0, atol=0)
