"""Ops as they were before opset 7, against what their documentation says in NumPy's terms."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rammer_ir.errors import UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.onnx_models import node_model, run_imported

FUNCTIONS: Mapping[str, Callable[[Any, Any], NDArray[Any]]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Less": np.less,
    "And": np.logical_and,
}


def positive(*shape: int, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).uniform(0.5, 2, shape).astype(np.float32)


def result(op_type: str, inputs: Mapping[str, NDArray[Any]], *constants: str, **attributes: Any) -> NDArray[Any]:
    """What the node gives, with those inputs that are named as constants of the model."""
    given = {name: array for name, array in inputs.items() if name not in constants}
    fixed = {name: array for name, array in inputs.items() if name in constants}
    model = node_model(op_type, given, constants=fixed, order=list(inputs), opset=6, **attributes)
    return run_imported(import_model(model), given)[0]


@st.composite
def operands(draw: st.DrawFn) -> tuple[tuple[int, ...], int, int, bool]:
    """The first operand's shape, where the second's dimensions begin and end in it, and whether the axis is named."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple))
    first = draw(st.integers(0, len(shape) - 1))
    last = draw(st.integers(first, len(shape)))
    return shape, first, last, last < len(shape) or draw(st.booleans())


@settings(deadline=None, max_examples=40)
@given(operands(), st.sampled_from(sorted(FUNCTIONS)), st.sampled_from([(), ("b",), ("a", "b")]))
def test_broadcasting_from_an_axis(
    case: tuple[tuple[int, ...], int, int, bool], op_type: str, constants: tuple[str, ...]
) -> None:
    shape, first, last, is_named = case
    a, b = positive(*shape), positive(*shape[first:last], seed=1)
    if op_type == "And":
        a, b = a > 1, b > 1
    attributes = {"axis": first} if is_named else {}
    value = result(op_type, {"a": a, "b": b}, *constants, broadcast=1, **attributes)
    aligned = b.reshape(*b.shape, *(1,) * (len(shape) - last))
    np.testing.assert_allclose(value, FUNCTIONS[op_type](a, aligned), rtol=1e-6)


def test_no_broadcasting_unless_it_is_asked_for() -> None:
    with pytest.raises(UnsupportedModelError, match=r"op Add \(opset 6\) has inputs of shapes \[2, 3\] and \[3\], and"):
        result("Add", {"a": positive(2, 3), "b": positive(3)})


def test_an_axis_that_leaves_no_room() -> None:
    with pytest.raises(UnsupportedModelError, match="has an input of 2 dimensions at axis 1 of 2"):
        result("Add", {"a": positive(2, 3), "b": positive(3, 1)}, broadcast=1, axis=1)


@pytest.mark.parametrize("slopes", [1, 3])
def test_parametric_relu_of_channels(slopes: int) -> None:
    x, slope = positive(2, 3, 4, 3) - np.float32(1), positive(slopes)
    expected = np.where(x < 0, x * slope.reshape(1, slopes, 1, 1), x)
    np.testing.assert_allclose(result("PRelu", {"x": x, "slope": slope}, "slope"), expected, rtol=1e-6)


def test_parametric_relu_with_a_slope_of_another_shape() -> None:
    with pytest.raises(UnsupportedModelError, match=r"has a slope of shape \[4\] for an input of shape \[2, 3, 4\]"):
        result("PRelu", {"x": positive(2, 3, 4), "slope": positive(4)})


def test_product_with_an_addend_that_is_broadcast() -> None:
    a, b, c = positive(2, 3), positive(4, 3), positive(4)
    value = result("Gemm", {"a": a, "b": b, "c": c}, transB=1, broadcast=1)
    np.testing.assert_allclose(value, a @ b.T + c, rtol=1e-6)


def test_average_pool_leaves_padding_out() -> None:
    x = positive(1, 1, 4)
    value = result("AveragePool", {"x": x}, kernel_shape=[2], pads=[1, 1])
    expected = [x[0, 0, 0], *((x[0, 0, 1:] + x[0, 0, :-1]) / 2), x[0, 0, 3]]
    np.testing.assert_allclose(value[0, 0], expected, rtol=1e-6)
