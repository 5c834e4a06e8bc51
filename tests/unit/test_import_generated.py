"""Tensors made of their indices, and random ones: ranges, windows, filters, distributions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from rammer_ir.frontend import onnx_importer
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.compiled_models import check_cuda_compiles, nodes_model, run_compiled
from rammer_ir.testing.onnx_models import Arrays, run_evaluator, run_imported

Array = NDArray[Any]


@pytest.fixture
def unfolded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Constants are treated as those that are given for one run: what depends on them is computed by the program."""

    def never(*parts: object) -> bool:
        return False

    monkeypatch.setattr(onnx_importer, "is_foldable", never)


def model_of(op_type: str, constants: Arrays, **attributes: Any) -> onnx.ModelProto:
    return nodes_model([helper.make_node(op_type, [*constants], ["y"], **attributes)], {}, constants=constants)


def scalars(*values: Any, dtype: Any = np.int64) -> dict[str, Array]:
    return {f"c{number}": np.array(value, dtype) for number, value in enumerate(values)}


def check(model: onnx.ModelProto) -> None:
    (result,) = run_imported(import_model(model), {})
    (wanted,) = run_evaluator(model, {})
    assert (result.dtype, result.shape) == (wanted.dtype, wanted.shape)
    np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("unfolded")
@pytest.mark.parametrize("op_type", ["BlackmanWindow", "HammingWindow", "HannWindow"])
@pytest.mark.parametrize("attributes", [{}, {"periodic": 0}, {"output_datatype": onnx.TensorProto.DOUBLE}])
def test_windows(op_type: str, attributes: dict[str, Any]) -> None:
    check(model_of(op_type, scalars(11), **attributes))


@pytest.mark.usefixtures("unfolded")
@pytest.mark.parametrize(
    ("numbers", "dtype"),
    [((2, 20, 3), np.int32), ((9, -4, -5), np.int64), ((0.5, 4, 0.75), np.float32), ((1, 0, -0.1), np.float64)],
)
def test_ranges(numbers: Sequence[float], dtype: Any) -> None:
    check(model_of("Range", scalars(*numbers, dtype=dtype)))


@pytest.mark.usefixtures("unfolded")
@pytest.mark.parametrize(("bins", "length"), [(8, 16), (5, 64), (3, 1000)])
def test_mel_weights(bins: int, length: int) -> None:
    numbers = {**scalars(bins, length, 8192), "low": np.array(0, np.float32), "high": np.array(4096, np.float32)}
    check(model_of("MelWeightMatrix", numbers))


@pytest.mark.usefixtures("unfolded")
def test_constants_of_a_shape() -> None:
    shape = {"shape": np.array([2, 3])}
    check(model_of("ConstantOfShape", shape))
    check(model_of("ConstantOfShape", shape, value=onnx.numpy_helper.from_array(np.array([7], np.int32))))


@pytest.mark.usefixtures("unfolded")
def test_an_output_of_constants_alone_is_a_tensor_of_its_own() -> None:
    numbers = np.array([1, -2, 3], np.float32)
    np.testing.assert_array_equal(run_compiled(model_of("Neg", {"x": numbers}), {})["y"], -numbers)


@pytest.mark.parametrize("attributes", [{}, {"k": 1}, {"k": -2, "dtype": onnx.TensorProto.INT32}])
def test_diagonals(attributes: dict[str, Any], unfolded: None) -> None:
    inputs = {"x": np.zeros((3, 5), np.float32)}
    model = nodes_model([helper.make_node("EyeLike", ["x"], ["y"], **attributes)], inputs)
    (result,) = run_imported(import_model(model), inputs)
    wanted = np.eye(3, 5, attributes.get("k", 0))
    np.testing.assert_array_equal(result, wanted.astype(np.int32 if "dtype" in attributes else np.float32))


def drawn(op_type: str, shape: Sequence[int], name: str = "drawn", **attributes: Any) -> Array:
    node = helper.make_node(op_type, [], ["y"], name, shape=list(shape), **attributes)
    return run_imported(import_model(nodes_model([node], {})), {})[0]


@pytest.mark.parametrize("dtype", [onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE])
def test_uniform_numbers(dtype: int) -> None:
    values = drawn("RandomUniform", (100, 200), low=-1.0, high=3.0, seed=4.0, dtype=dtype)
    assert values.dtype == helper.tensor_dtype_to_np_dtype(dtype)
    assert -1 <= values.min() < -0.99
    assert 2.99 < values.max() < 3
    counts, _ = np.histogram(values, 20, (-1, 3))
    assert ((counts - 1000) ** 2 / 1000).sum() < 50, "chi square of 19 degrees of freedom"
    centered = values.astype(np.float64) - values.mean()
    neighbours = (centered[:, 1:] * centered[:, :-1]).mean() / centered.var()
    assert abs(neighbours) < 0.03


def test_normal_numbers() -> None:
    values = drawn("RandomNormal", (100, 200), mean=2.0, scale=3.0, seed=1.0).astype(np.float64)
    normal = (values - 2) / 3
    assert abs(normal.mean()) < 0.03
    assert abs(normal.std() - 1) < 0.03
    assert abs((normal**4).mean() - 3) < 0.2
    assert abs((np.abs(normal) < 1).mean() - 0.6827) < 0.02


def test_numbers_depend_on_the_seed_or_on_the_name() -> None:
    first = drawn("RandomUniform", (50,), seed=1.0)
    np.testing.assert_array_equal(first, drawn("RandomUniform", (50,), "other", seed=1.0))
    assert np.abs(first - drawn("RandomUniform", (50,), seed=2.0)).min() > 0
    assert np.abs(drawn("RandomUniform", (50,), "a") - drawn("RandomUniform", (50,), "b")).min() > 0


def test_coins_follow_their_probabilities() -> None:
    inputs = {"p": np.repeat(np.array([[0], [0.2], [0.9], [1]], np.float32), 4000, axis=1)}
    node = helper.make_node("Bernoulli", ["p"], ["y"], seed=3.0, dtype=onnx.TensorProto.INT32)
    (result,) = run_imported(import_model(nodes_model([node], inputs)), inputs)
    np.testing.assert_allclose(result.mean(axis=1), inputs["p"][:, 0], atol=0.03)
    assert set(np.unique(result)) == {0, 1}


def test_classes_follow_their_weights() -> None:
    shares = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0]], np.float32)
    with np.errstate(divide="ignore"):
        inputs = {"w": np.log(shares) + np.float32(2)}
    node = helper.make_node("Multinomial", ["w"], ["y"], seed=3.0, sample_size=4000)
    (result,) = run_imported(import_model(nodes_model([node], inputs)), inputs)
    assert result.dtype == np.int32
    found = (result[:, :, None] == np.arange(3)).mean(axis=1)
    np.testing.assert_allclose(found, shares, atol=0.03)


def dropout(seed: int | None, ratio: float, *, training: bool = True) -> onnx.ModelProto:
    inputs = {"x": np.ones((20, 50), np.float32)}
    constants = {"ratio": np.array(ratio, np.float32), "training": np.array(training)}
    attributes: dict[str, Any] = {} if seed is None else {"seed": seed}
    node = helper.make_node("Dropout", ["x", *constants], ["y", "mask"], **attributes)
    return nodes_model([node], inputs, constants=constants)


@pytest.mark.parametrize("seed", [None, 0, 7])
def test_dropout_keeps_the_mean(seed: int | None) -> None:
    inputs = {"x": np.ones((20, 50), np.float32)}
    model = dropout(seed, 0.25)
    result, mask = run_imported(import_model(model), inputs)
    np.testing.assert_allclose(result, mask / np.float32(0.75))
    assert abs(mask.mean() - 0.75) < 0.04
    if seed is not None:
        np.testing.assert_array_equal(mask, run_evaluator(model, inputs)[1])


def test_dropout_does_nothing_at_inference() -> None:
    inputs = {"x": np.ones((20, 50), np.float32)}
    result, mask = run_imported(import_model(dropout(1, 0.25, training=False)), inputs)
    np.testing.assert_array_equal(result, inputs["x"])
    assert mask.all()


def test_compiled_numbers_are_those_of_the_interpreter() -> None:
    nodes = [
        helper.make_node("RandomNormal", [], ["normal"], shape=[4, 33], seed=1.0),
        helper.make_node("RandomUniform", [], ["uniform"], shape=[7, 5], dtype=onnx.TensorProto.DOUBLE),
        helper.make_node("RandomUniformLike", ["normal"], ["like"], high=2.0),
        helper.make_node("Sum", ["normal", "like"], ["sum"]),
    ]
    model = nodes_model(nodes, {}, outputs=["uniform", "sum"])
    wanted = run_imported(import_model(model), {})
    results = run_compiled(model, {})
    np.testing.assert_array_equal(results["uniform"], wanted[0])
    np.testing.assert_allclose(results["sum"], wanted[1], rtol=1e-5, atol=1e-6)
    check_cuda_compiles(model)
