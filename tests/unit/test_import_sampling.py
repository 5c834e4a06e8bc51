"""Interpolation at computed positions, positions in windows, and counts of words, against ONNX's own evaluator."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator

from rammer_ir.errors import UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.onnx_models import graph_model, node_model, run_imported

Arrays = dict[str, NDArray[Any]]


def check(model: onnx.ModelProto, inputs: Arrays) -> None:
    expected = cast("Any", ReferenceEvaluator(model)).run(None, inputs)
    for result, wanted in zip(run_imported(import_model(model), inputs), expected, strict=True):
        assert (result.dtype, result.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5)


def normal(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@settings(max_examples=20)
@given(
    st.sampled_from(["nearest", "linear", "cubic"]),
    st.sampled_from(["zeros", "border", "reflection"]),
    st.booleans(),
    st.sampled_from([(3, 4), (2, 1), (5,)]),
)
def test_grid_sample(mode: str, padding: str, aligned: bool, extents: tuple[int, ...]) -> None:
    """Positions in and far out of the image; none of them where two elements are as near."""
    grid = np.random.default_rng(1).uniform(-2.7, 2.7, (2, *[3] * len(extents), len(extents))).astype(np.float32)
    inputs: Arrays = {"x": normal(2, 2, *extents), "grid": grid}
    if aligned and padding == "reflection" and 1 in extents:
        return  # The evaluator divides by zero.
    model = node_model("GridSample", inputs, opset=20, mode=mode, padding_mode=padding, align_corners=int(aligned))
    check(model, inputs)


def test_grid_sample_of_positions_that_are_no_numbers() -> None:
    """No position leaves the image: what is read there does not matter."""
    inputs: Arrays = {"x": normal(1, 1, 3, 3), "grid": np.full((1, 2, 2, 2), np.nan, np.float32)}
    inputs["grid"][0, 0] = [[np.inf, 1e30], [-1e30, -np.inf]]
    for padding in ("zeros", "border", "reflection"):
        model = node_model("GridSample", inputs, opset=20, padding_mode=padding)
        assert run_imported(import_model(model), inputs)[0].shape == (1, 1, 2, 2)


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("transformation", ["half_pixel", "output_half_pixel"])
@pytest.mark.parametrize("samples", [1, 2])
def test_roi_align(mode: str, transformation: str, samples: int) -> None:
    inputs: Arrays = {
        "x": normal(2, 2, 6, 5),
        "regions": np.array([[0, 0, 4, 4], [3.5, 1, 9, 9], [-3, 2, -1, 2.1]], np.float32),
        "numbers": np.array([1, 0, 1]),
    }
    model = node_model(
        "RoiAlign",
        inputs,
        opset=16,
        mode=mode,
        coordinate_transformation_mode=transformation,
        output_height=2,
        output_width=3,
        sampling_ratio=samples,
        spatial_scale=0.7,
    )
    check(model, inputs)


def test_roi_align_with_as_many_samples_as_fit_is_refused() -> None:
    inputs: Arrays = {"x": normal(1, 1, 4, 4), "r": normal(1, 4), "n": np.array([0])}
    with pytest.raises(UnsupportedModelError, match="needs a positive sampling_ratio"):
        import_model(node_model("RoiAlign", inputs, opset=16))


@pytest.mark.parametrize("has_mask", [True, False])
@pytest.mark.parametrize("offset_groups", [1, 2])
def test_deformable_convolution(has_mask: bool, offset_groups: int) -> None:
    inputs: Arrays = {
        "x": normal(2, 4, 6, 5),
        "w": normal(6, 2, 2, 3),
        "offset": 2 * normal(2, offset_groups * 12, 3, 2),
        "b": normal(6),
    }
    if has_mask:
        inputs["mask"] = normal(2, offset_groups * 6, 3, 2)
    attributes: dict[str, Any] = {"group": 2, "offset_group": offset_groups, "strides": [2, 2], "pads": [1, 0, 0, 1]}
    check(node_model("DeformConv", inputs, opset=19, **attributes), inputs)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("turned", [0, 4])
@pytest.mark.parametrize("has_steps", [True, False])
@pytest.mark.parametrize("heads", [0, 3])
def test_rotary_embedding(interleaved: int, turned: int, has_steps: bool, heads: int) -> None:
    half = (turned or 8) // 2
    table = (10, half) if has_steps else (2, 5, half)
    inputs: Arrays = {
        "x": normal(2, 5, 24) if heads else normal(2, 3, 5, 8),
        "cos": normal(*table),
        "sin": normal(*table),
    }
    if has_steps:
        inputs["steps"] = np.random.default_rng(0).integers(0, 10, (2, 5))
    attributes: dict[str, Any] = {"interleaved": interleaved, "rotary_embedding_dim": turned, "num_heads": heads}
    check(node_model("RotaryEmbedding", inputs, opset=23, **attributes), inputs)


@pytest.mark.parametrize("storage_order", [0, 1])
@pytest.mark.parametrize("dilation", [1, 2])
def test_positions_of_maxima(storage_order: int, dilation: int) -> None:
    x = np.random.default_rng(0).permutation(2 * 3 * 7 * 6).reshape(2, 3, 7, 6).astype(np.float32)
    model = node_model(
        "MaxPool",
        {"x": x},
        outputs=("y", "positions"),
        kernel_shape=[3, 2],
        strides=[2, 2],
        pads=[1, 1, 1, 0],
        dilations=[dilation, 1],
        storage_order=storage_order,
    )
    values, positions = run_imported(import_model(model), {"x": x})
    flat = (x.swapaxes(2, 3) if storage_order else x).ravel()
    np.testing.assert_array_equal(flat[positions], values)


def test_the_first_of_equal_maxima_and_no_padding() -> None:
    x = np.full((1, 1, 3, 3), -np.inf, np.float32)
    model = node_model("MaxPool", {"x": x}, outputs=("y", "p"), kernel_shape=[2, 2], pads=[1, 1, 0, 0])
    _, positions = run_imported(import_model(model), {"x": x})
    np.testing.assert_array_equal(positions[0, 0], [[0, 0, 1], [0, 0, 1], [3, 3, 4]])


@pytest.mark.parametrize("shape", [None, (2, 3, 9, 8)])
def test_unpooling_puts_maxima_back(shape: Sequence[int] | None) -> None:
    x = normal(2, 3, 8, 6)
    pool = helper.make_node("MaxPool", ["x"], ["y", "p"], kernel_shape=[2, 2], strides=[2, 2])
    names = ["y", "p"] if shape is None else ["y", "p", "shape"]
    unpool = helper.make_node("MaxUnpool", names, ["z"], kernel_shape=[2, 2], strides=[2, 2])
    constants = {} if shape is None else {"shape": np.array(shape)}
    model = graph_model([pool, unpool], {"x": x}, ["z"], constants=constants)
    (result,) = run_imported(import_model(model), {"x": x})
    greatest = x.reshape(2, 3, 4, 2, 3, 2).max((3, 5), keepdims=True)
    expected = np.where(x.reshape(2, 3, 4, 2, 3, 2) == greatest, greatest, 0).reshape(x.shape)
    assert result.shape == tuple(shape or x.shape)
    np.testing.assert_array_equal(result[:, :, :8, :6], expected)


@pytest.mark.parametrize(
    ("strides", "dilations", "pads"), [((1, 1), (1, 1), (0, 0, 0, 0)), ((2, 1), (1, 2), (1, 0, 2, 1))]
)
def test_columns_to_image(strides: tuple[int, int], dilations: tuple[int, int], pads: tuple[int, ...]) -> None:
    image, block = np.array([6, 7]), np.array([2, 3])
    blocks = (image + np.reshape(pads, (2, 2)).sum(0) - np.array(dilations) * (block - 1) - 1) // np.array(strides) + 1
    inputs: Arrays = {"x": normal(2, 12, int(blocks.prod()))}
    constants = {"image": image, "block": block}
    attributes: dict[str, Any] = {"strides": list(strides), "dilations": list(dilations), "pads": list(pads)}
    check(node_model("Col2Im", inputs, constants=constants, opset=18, **attributes), inputs)


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
@pytest.mark.parametrize("skip", [0, 5])
def test_counts_of_words(mode: str, skip: int) -> None:
    inputs: Arrays = {"x": np.array([[1, 1, 3, 3, 3, 7], [8, 6, 7, 5, 6, 8]])}
    attributes: dict[str, Any] = {
        "mode": mode,
        "min_gram_length": 1,
        "max_gram_length": 2,
        "max_skip_count": skip,
        "ngram_counts": [0, 4],
        "ngram_indexes": [6, 5, 4, 3, 2, 1, 0],
        "pool_int64s": [2, 3, 5, 4, 5, 6, 7, 8, 6, 7],
        "weights": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
    }
    check(node_model("TfIdfVectorizer", inputs, opset=9, **attributes), inputs)


@pytest.mark.parametrize("axis", [None, 0, -1])
def test_compress_by_a_known_condition(axis: int | None) -> None:
    x = normal(3, 4)
    condition = np.array([False, True, True])
    attributes: dict[str, Any] = {} if axis is None else {"axis": axis}
    model = node_model("Compress", {"x": x}, constants={"c": condition}, **attributes)
    (result,) = run_imported(import_model(model), {"x": x})
    np.testing.assert_array_equal(result, np.compress(condition, x, axis))
