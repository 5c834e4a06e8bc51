"""Scatters, search, running totals, patterns and interpolation: edge cases against NumPy and ONNX's own evaluator."""

from typing import Any, cast

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from rammer_ir.dialects import rop
from rammer_ir.errors import UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.onnx_models import node_model, run_imported

OPSET = 26


def run(model: onnx.ModelProto, inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    return run_imported(import_model(model), inputs)


def check_by_evaluator(model: onnx.ModelProto, inputs: dict[str, NDArray[Any]]) -> None:
    """Weights of interpolation are rounded to float32 here, and not there."""
    expected = cast("Any", ReferenceEvaluator(model)).run(None, inputs)
    for result, wanted in zip(run(model, inputs), expected, strict=True):
        assert (result.dtype, result.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5)


def row_with_ties(data: st.DataObject, *shape: int) -> NDArray[Any]:
    dtype = data.draw(st.sampled_from([np.float32, np.int32, np.int64]))
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    values = generator.integers(-2, 3, shape).astype(dtype)
    if dtype == np.float32 and data.draw(st.booleans()):
        values[generator.random(shape) < 0.2] = np.nan
    return values


@settings(max_examples=25)
@given(st.data())
def test_extreme_positions(data: st.DataObject) -> None:
    x = row_with_ties(data, 3, 7, 2)
    axis, keepdims = data.draw(st.integers(-3, 2)), data.draw(st.integers(0, 1))
    op, of = data.draw(st.sampled_from([("ArgMax", np.argmax), ("ArgMin", np.argmin)]))
    (result,) = run(node_model(op, {"x": x}, axis=axis, keepdims=keepdims), {"x": x})
    np.testing.assert_array_equal(result, cast("Any", of)(x, axis, keepdims=bool(keepdims)))
    model = node_model(op, {"x": x}, axis=axis, keepdims=keepdims, select_last_index=1)
    last = x.shape[axis] - 1 - cast("Any", of)(np.flip(x, axis), axis, keepdims=bool(keepdims))
    np.testing.assert_array_equal(run(model, {"x": x})[0], last)


@settings(max_examples=25)
@given(st.data())
def test_top_k(data: st.DataObject) -> None:
    x = row_with_ties(data, 2, 9)
    k, largest = data.draw(st.integers(1, 9)), data.draw(st.integers(0, 1))
    model = node_model("TopK", {"x": x}, constants={"k": np.array([k])}, outputs=("v", "i"), largest=largest, axis=1)
    values, indices = run(model, {"x": x})
    # NumPy sorts NaN behind all numbers; equal elements keep their order, in the reversed row too.
    order = 8 - np.argsort(x[:, ::-1], axis=1, kind="stable")[:, ::-1] if largest else np.argsort(x, 1, kind="stable")
    np.testing.assert_array_equal(indices, order[:, :k])
    np.testing.assert_array_equal(values, np.take_along_axis(x, order[:, :k], 1))


def test_zeros_of_both_signs_are_equal() -> None:
    inputs = {"x": np.array([0.0, -0.0, 0.0, -np.inf, -np.nan, np.inf])}
    model = node_model("TopK", inputs, constants={"k": np.array([6])}, outputs=("v", "i"))
    np.testing.assert_array_equal(run(model, inputs)[1], [4, 5, 0, 1, 2, 3])


def test_top_k_of_more_than_there_are_is_refused() -> None:
    inputs = {"x": np.zeros((3,), np.float32)}
    with pytest.raises(UnsupportedModelError, match="asks for 0 of 3 elements"):
        import_model(node_model("TopK", inputs, constants={"k": np.array([0])}, outputs=("v", "i")))


@settings(max_examples=25)
@given(
    st.sampled_from([1, 2, 31, 32, 33, 50, 1025]), st.booleans(), st.booleans(), st.sampled_from(["CumSum", "CumProd"])
)
def test_running_totals(extent: int, exclusive: bool, reverse: bool, op: str) -> None:
    x = np.random.default_rng(extent).integers(-3, 4, (2, extent)).astype(np.int64)
    constants = {"axis": np.array(-1)}
    model = node_model(op, {"x": x}, constants=constants, opset=OPSET, exclusive=int(exclusive), reverse=int(reverse))
    rows = x[:, ::-1] if reverse else x
    totals = np.cumsum(rows, 1) if op == "CumSum" else np.cumprod(rows, 1)
    if exclusive:
        totals = np.concatenate([np.full((2, 1), op == "CumProd", np.int64), totals[:, :-1]], 1)
    np.testing.assert_array_equal(run(model, {"x": x})[0], totals[:, ::-1] if reverse else totals)


REDUCTIONS = {"none": None, "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


@settings(max_examples=40)
@given(st.data())
def test_scatter_elements(data: st.DataObject) -> None:
    """Duplicates: the last update wins, or all are combined; indices smaller than the data leave the rest."""
    x = row_with_ties(data, 3, 4)
    axis, name = data.draw(st.integers(-2, 1)), data.draw(st.sampled_from(list(REDUCTIONS)))
    shape = [data.draw(st.integers(1, 5 if dim == axis % 2 else extent)) for dim, extent in enumerate(x.shape)]
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    indices = generator.integers(-x.shape[axis], x.shape[axis], shape)
    updates = generator.integers(-3, 4, shape).astype(x.dtype)
    inputs = {"x": x, "i": indices, "u": updates}
    model = node_model("ScatterElements", inputs, opset=18, axis=axis, reduction=name)
    expected, combine = x.copy(), REDUCTIONS[name]
    for place in np.ndindex(*shape):
        target = list(place)
        target[axis] = indices[place]
        old = expected[tuple(target)]
        expected[tuple(target)] = updates[place] if combine is None else combine(old, updates[place])
    np.testing.assert_array_equal(run(model, inputs)[0], expected)


@settings(max_examples=30)
@given(st.data())
def test_scatter_nd(data: st.DataObject) -> None:
    x = row_with_ties(data, 3, 4, 2)
    depth, name = data.draw(st.integers(1, 3)), data.draw(st.sampled_from(list(REDUCTIONS)))
    outer = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=2))
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    indices = np.stack([generator.integers(-extent, extent, outer) for extent in x.shape[:depth]], -1)
    updates = generator.integers(-3, 4, (*outer, *x.shape[depth:])).astype(x.dtype)
    inputs = {"x": x, "i": indices, "u": updates}
    expected, combine = x.copy(), REDUCTIONS[name]
    for place in np.ndindex(*outer):
        target = tuple(indices[place])
        expected[target] = updates[place] if combine is None else combine(expected[target], updates[place])
    np.testing.assert_array_equal(run(node_model("ScatterND", inputs, opset=18, reduction=name), inputs)[0], expected)


def test_scatter_by_indices_out_of_range_writes_nothing() -> None:
    inputs = {"x": np.zeros((4,), np.float32), "i": np.array([-5, 4, 99]), "u": np.ones((3,), np.float32)}
    np.testing.assert_array_equal(run(node_model("ScatterElements", inputs, opset=18), inputs)[0], inputs["x"])


@pytest.mark.parametrize("mode", ["linear", "circular"])
@pytest.mark.parametrize("has_starts", [True, False])
def test_cache_update(mode: str, has_starts: bool) -> None:
    generator = np.random.default_rng(0)
    inputs: dict[str, NDArray[Any]] = {
        "cache": generator.standard_normal((2, 3, 6, 4)).astype(np.float32),
        "update": generator.standard_normal((2, 3, 2, 4)).astype(np.float32),
    }
    if has_starts:
        inputs["starts"] = np.array([1, 5 if mode == "circular" else 4])
    check_by_evaluator(node_model("TensorScatter", inputs, opset=24, mode=mode), inputs)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32])
def test_one_hot(dtype: Any) -> None:
    inputs = {"i": np.array([[0, -1, 3], [-4, 4, -5]], dtype)}
    constants = {"depth": np.array([4]), "values": np.array([2, 5], np.int32)}
    expected = np.full((2, 4, 3), 2, np.int32)
    for row, column, at in [(0, 0, 0), (0, 1, 3), (0, 2, 3), (1, 0, 0)]:
        expected[row, at, column] = 5
    np.testing.assert_array_equal(run(node_model("OneHot", inputs, constants=constants, axis=1), inputs)[0], expected)


@pytest.mark.parametrize("k", [None, -9, -1, 0, 2, 9])
@pytest.mark.parametrize("upper", [0, 1])
def test_triangles(k: int | None, upper: int) -> None:
    x = np.arange(24).reshape(2, 3, 4)
    constants = {} if k is None else {"k": np.array(k)}
    expected = (np.triu if upper else np.tril)(x, k or 0)
    np.testing.assert_array_equal(
        run(node_model("Trilu", {"x": x}, constants=constants, upper=upper), {"x": x})[0], expected
    )


def test_eye_of_another_type() -> None:
    inputs = {"x": np.zeros((3, 5), np.float32)}
    model = node_model("EyeLike", inputs, dtype=onnx.TensorProto.INT32, k=1)
    np.testing.assert_array_equal(run(model, inputs)[0], np.eye(3, 5, 1, dtype=np.int32))


def test_tile_is_a_view() -> None:
    x = np.arange(6).reshape(1, 2, 3)
    model = node_model("Tile", {"x": x}, constants={"r": np.array([2, 1, 3])})
    np.testing.assert_array_equal(run(model, {"x": x})[0], np.tile(x, (2, 1, 3)))


def test_reverse_sequence() -> None:
    inputs = {"x": np.arange(12).reshape(4, 3), "n": np.array([1, 4, 2])}
    expected = inputs["x"].copy()
    for column, length in enumerate(inputs["n"]):
        expected[:length, column] = expected[:length, column][::-1]
    np.testing.assert_array_equal(run(node_model("ReverseSequence", inputs), inputs)[0], expected)


COORDINATES = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"]


@settings(max_examples=30)
@given(st.data())
def test_resize(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=3))
    scales = [data.draw(st.sampled_from([1.0, 2.0, 0.6, 2.5])) for _ in shape]
    scales = [max(scale, 1.0) if extent == 1 else scale for extent, scale in zip(shape, scales, strict=True)]
    mode = data.draw(st.sampled_from(["nearest", "linear", "cubic"]))
    attributes: dict[str, Any] = {"coordinate_transformation_mode": data.draw(st.sampled_from(COORDINATES))}
    if mode == "nearest":
        nearest = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
        attributes["nearest_mode"] = data.draw(st.sampled_from(nearest))
    else:
        attributes |= {"antialias": data.draw(st.integers(0, 1)), "exclude_outside": data.draw(st.integers(0, 1))}
    inputs = {"x": np.random.default_rng(0).standard_normal(shape).astype(np.float32)}
    constants = {"s": np.array(scales, np.float32)}
    model = node_model("Resize", inputs, constants=constants, order=["x", "", "s"], opset=19, mode=mode, **attributes)
    check_by_evaluator(model, inputs)


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
def test_resize_to_sizes_of_some_dimensions(policy: str) -> None:
    inputs = {"x": np.random.default_rng(0).standard_normal((1, 2, 5, 4)).astype(np.float32)}
    model = node_model(
        "Resize",
        inputs,
        constants={"s": np.array([8, 9])},
        order=["x", "", "", "s"],
        opset=19,
        mode="linear",
        axes=[3, 2],
        keep_aspect_ratio_policy=policy,
    )
    expected = {"stretch": (1, 2, 9, 8), "not_larger": (1, 2, 9, 7), "not_smaller": (1, 2, 10, 8)}
    assert run(model, inputs)[0].shape == expected[policy]


def test_resize_of_integers_rounds() -> None:
    inputs = {"x": np.array([[0, 255, 3]], np.uint8)}
    constants = {"s": np.array([1, 2], np.float32)}
    model = node_model("Resize", inputs, constants=constants, order=["x", "", "s"], opset=19, mode="linear")
    check_by_evaluator(model, inputs)


def test_nearest_resize_by_a_whole_factor_is_a_view() -> None:
    inputs = {"x": np.zeros((1, 2, 3, 4), np.float32)}
    constants = {"s": np.array([1, 1, 2, 2], np.float32)}
    module = import_model(node_model("Resize", inputs, constants=constants, order=["x", "", "s"], opset=13)).module
    generics = [op for op in module.walk() if isinstance(op, rop.GenericOp)]
    assert len(generics) == 2
    assert not any(generic.extracted for generic in generics)
