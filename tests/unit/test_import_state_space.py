"""Ops whose state goes on from call to call: linear attention and causal convolution."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from rammer_ir.errors import InvalidInputError, UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.compiled_models import check_compiled, check_cuda_compiles, nodes_model
from rammer_ir.testing.onnx_models import Arrays, run_evaluator, run_imported

GENERATOR = np.random.default_rng(9)


def normal(*shape: int) -> NDArray[np.float32]:
    return GENERATOR.standard_normal(shape).astype(np.float32)


def state_model(op_type: str, inputs: Arrays, names: Sequence[str], **attributes: Any) -> onnx.ModelProto:
    given = [name if name in inputs else "" for name in names]
    while not given[-1]:
        given.pop()
    node = helper.make_node(op_type, given, ["y", "state"], **attributes)
    return nodes_model([node], inputs, opset=28)


def check(model: onnx.ModelProto, inputs: Arrays) -> None:
    for result, wanted in zip(run_imported(import_model(model), inputs), run_evaluator(model, inputs), strict=True):
        assert (result.dtype, result.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5)


def attention(
    rule: str, heads: int = 4, shared: int = 2, *, steps: int = 3, past: bool = True, decay: int = 6, beta: int = 2
) -> tuple[onnx.ModelProto, dict[str, NDArray[Any]]]:
    """Keys of 3 elements, values of 5; `decay` and `beta` are how many numbers there are a step."""
    inputs: dict[str, NDArray[Any]] = {
        "q": normal(2, steps, heads * 3),
        "k": normal(2, steps, shared * 3),
        "v": normal(2, steps, shared * 5),
    }
    if past:
        inputs["past"] = normal(2, shared, 3, 5)
    if "gated" in rule:
        inputs["decay"] = -np.abs(normal(2, steps, decay))
    if "delta" in rule:
        inputs["beta"] = GENERATOR.random((2, steps, beta)).astype(np.float32)
    names = ("q", "k", "v", "past", "decay", "beta")
    options = {"q_num_heads": heads, "kv_num_heads": shared, "update_rule": rule}
    return state_model("LinearAttention", inputs, names, **options), inputs


@pytest.mark.parametrize("past", [False, True])
@pytest.mark.parametrize("rule", ["linear", "gated", "delta", "gated_delta"])
def test_rules(rule: str, past: bool) -> None:
    check(*attention(rule, past=past))


@pytest.mark.parametrize(("decay", "beta"), [(2, 1), (6, 1), (2, 2)])
def test_numbers_that_are_shared(decay: int, beta: int) -> None:
    check(*attention("gated_delta", decay=decay, beta=beta, steps=1))


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [("other", {}, "not known: 'other'"), ("linear", {"heads": 3}, "3 heads of queries for 2")],
)
def test_what_linear_attention_refuses(rule: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises((UnsupportedModelError, InvalidInputError)) as caught:
        import_model(attention(rule, **options)[0])
    assert message in str(caught.value) or "do not fit op" in str(caught.value)


def convolution(
    steps: int, size: int, *, past: bool, bias: bool, activation: str
) -> tuple[onnx.ModelProto, dict[str, NDArray[Any]]]:
    inputs: dict[str, NDArray[Any]] = {"x": normal(2, 3, steps), "w": normal(3, 1, size)}
    inputs |= {"b": normal(3)} if bias else {}
    inputs |= {"past": normal(2, 3, size - 1)} if past else {}
    return state_model("CausalConvWithState", inputs, ("x", "w", "b", "past"), activation=activation), inputs


@pytest.mark.parametrize("past", [False, True])
@pytest.mark.parametrize(("steps", "size"), [(7, 4), (2, 4), (1, 2)])
@pytest.mark.parametrize(("bias", "activation"), [(False, "none"), (True, "silu")])
def test_causal_convolution(steps: int, size: int, past: bool, bias: bool, activation: str) -> None:
    check(*convolution(steps, size, past=past, bias=bias, activation=activation))


def test_compiled() -> None:
    model, inputs = attention("gated_delta")
    check_compiled(model, inputs, dict(zip(("y", "state"), run_evaluator(model, inputs), strict=True)), rtol=1e-4)
    check_cuda_compiles(model)


def test_compiled_convolution() -> None:
    model, inputs = convolution(7, 4, past=True, bias=True, activation="silu")
    check_compiled(model, inputs, dict(zip(("y", "state"), run_evaluator(model, inputs), strict=True)), rtol=1e-4)
    check_cuda_compiles(model)
