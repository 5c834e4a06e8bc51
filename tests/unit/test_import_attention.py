"""Attention in all its forms, against ONNX's own evaluator."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper

from rammer_ir.errors import InvalidInputError, UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.compiled_models import check_compiled, check_cuda_compiles, nodes_model
from rammer_ir.testing.onnx_models import Arrays, run_evaluator, run_imported

GENERATOR = np.random.default_rng(5)
INPUTS = ("q", "k", "v", "mask", "past_key", "past_value", "lengths")
OUTPUTS = ("y", "present_key", "present_value", "scores")


def normal(*shape: int) -> NDArray[np.float32]:
    return GENERATOR.standard_normal(shape).astype(np.float32)


def attention_model(inputs: Arrays, attributes: Mapping[str, Any], opset: int = 25) -> onnx.ModelProto:
    names = [name if name in inputs else "" for name in INPUTS]
    outputs = [*OUTPUTS] if "past_key" in inputs else ["y", "", "", "scores"]
    while not names[-1]:
        names.pop()
    node = helper.make_node("Attention", names, outputs, **dict(attributes))
    return nodes_model([node], inputs, opset=opset)


def check(inputs: Arrays, opset: int = 25, **attributes: Any) -> None:
    model = attention_model(inputs, attributes, opset)
    results = run_imported(import_model(model), inputs)
    for result, wanted in zip(results, run_evaluator(model, inputs), strict=True):
        assert result.shape == wanted.shape
        np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5)


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Inputs and attributes that go together."""
    batch, shared, sharing = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    queries, new, past = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.sampled_from([0, 0, 3]))
    size, value_size = draw(st.sampled_from([2, 4])), draw(st.sampled_from([2, 3]))
    heads, keys = shared * sharing, past + new
    is_flat = draw(st.booleans())
    attributes: dict[str, Any] = {
        "is_causal": draw(st.integers(0, 1)),
        "softcap": draw(st.sampled_from([0.0, 1.5])),
        "qk_matmul_output_mode": draw(st.sampled_from([1, 2, 3])),
        "left_window_size": draw(st.sampled_from([-1, -1, 0, 1])),
        "right_window_size": draw(st.sampled_from([-1, -1, 0, 2])),
    }
    if is_flat:
        attributes |= {"q_num_heads": heads, "kv_num_heads": shared}

    def tensor(count: int, length: int, width: int) -> NDArray[np.float32]:
        return normal(batch, length, count * width) if is_flat else normal(batch, count, length, width)

    inputs: dict[str, NDArray[Any]] = {
        "q": tensor(heads, queries, size),
        "k": tensor(shared, new, size),
        "v": tensor(shared, new, value_size),
    }
    if past:
        inputs |= {"past_key": normal(batch, shared, past, size), "past_value": normal(batch, shared, past, value_size)}
    elif draw(st.booleans()):
        inputs["lengths"] = GENERATOR.integers(0, keys + 1, batch)
    spread = draw(st.sampled_from([None, (queries,), (heads, queries), (1, queries), (batch, 1, queries)]))
    if spread is not None:
        shape = (*spread, draw(st.integers(2, keys)) if keys > 2 else keys)
        mask = GENERATOR.random(shape) < 0.6
        inputs["mask"] = mask if draw(st.booleans()) else np.where(mask, normal(*shape), np.float32(-np.inf))
    return inputs, attributes


@settings(max_examples=25, deadline=None)
@given(cases())
def test_forms(case: tuple[dict[str, NDArray[Any]], dict[str, Any]]) -> None:
    inputs, attributes = case
    check(inputs, **attributes)


@pytest.mark.parametrize("opset", [23, 24])
def test_older_opsets(opset: int) -> None:
    inputs = {"q": normal(1, 2, 3, 4), "k": normal(1, 2, 5, 4), "v": normal(1, 2, 5, 4)}
    check(inputs, opset, scale=0.3, qk_matmul_output_mode=0)


def test_a_query_of_one_token_sees_all_of_its_past_without_a_mask() -> None:
    inputs = {"q": normal(1, 2, 1, 4), "k": normal(1, 2, 1, 4), "v": normal(1, 2, 1, 4)}
    inputs |= {"past_key": normal(1, 2, 6, 4), "past_value": normal(1, 2, 6, 4)}
    module = import_model(attention_model(inputs, {"is_causal": 1})).module
    assert "arith.select" not in str(module)


def test_masked_scores_that_are_no_numbers_do_not_spread() -> None:
    inputs = {"q": normal(1, 1, 2, 2), "k": normal(1, 1, 3, 2), "v": normal(1, 1, 3, 2)}
    inputs["k"][0, 0, 2] = np.nan
    inputs["mask"] = np.array([[0, 0, -np.inf], [0, -1, -np.inf]], np.float32)
    (result, _) = run_imported(import_model(attention_model(inputs, {})), inputs)
    assert np.isfinite(result).all()


def test_half_precision_is_computed_in_single() -> None:
    inputs = {name: normal(1, 2, 5, 8).astype(np.float16) for name in ("q", "k", "v")}
    (result, _) = run_imported(import_model(attention_model(inputs, {})), inputs)
    exact = {name: array.astype(np.float64) for name, array in inputs.items()}
    scores = exact["q"] @ exact["k"].swapaxes(-1, -2) / np.sqrt(8)
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    wanted = powers / powers.sum(-1, keepdims=True) @ exact["v"]
    np.testing.assert_allclose(result.astype(np.float64), wanted, rtol=2e-2, atol=3e-3)


@pytest.mark.parametrize(
    ("shapes", "attributes", "message"),
    [
        (((1, 3, 2, 4), (1, 2, 2, 4), (1, 2, 2, 4)), {}, "queries of shape"),
        (((1, 2, 2, 4), (1, 2, 2, 4), (2, 2, 2, 4)), {}, "different batches"),
        (((1, 2, 5), (1, 2, 5), (1, 2, 5)), {"q_num_heads": 2, "kv_num_heads": 2}, "does not fall into 2 heads"),
        (((1, 2, 2, 4),) * 3, {"qk_matmul_output_mode": 4}, "qk_matmul_output_mode 4"),
    ],
)
def test_what_does_not_fit_is_refused(shapes: Any, attributes: dict[str, Any], message: str) -> None:
    inputs = {name: normal(*shape) for name, shape in zip("qkv", shapes, strict=True)}
    with pytest.raises((UnsupportedModelError, InvalidInputError)) as caught:
        import_model(attention_model(inputs, attributes))
    assert message in str(caught.value) or "do not fit op Attention" in str(caught.value)


def test_compiled() -> None:
    """Heads that share keys, a past, a mask and lengths that are known at run time alone."""
    inputs: dict[str, NDArray[Any]] = {
        "q": normal(2, 3, 32),
        "k": normal(2, 9, 16),
        "v": normal(2, 9, 16),
        "mask": GENERATOR.random((3, 7)) < 0.7,
        "lengths": np.array([9, 4]),
    }
    attributes = {"is_causal": 1, "q_num_heads": 4, "kv_num_heads": 2, "softcap": 2.0, "qk_matmul_output_mode": 3}
    model = attention_model(inputs, attributes)
    wanted = dict(zip(["y", "scores"], run_evaluator(model, inputs), strict=True))
    check_compiled(model, inputs, wanted, rtol=1e-4, atol=1e-5)
    check_cuda_compiles(model)
