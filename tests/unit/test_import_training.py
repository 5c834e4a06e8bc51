"""Steps of optimisers, against ONNX's own evaluator."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from rammer_ir.errors import InvalidInputError, UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.compiled_models import check_compiled, check_cuda_compiles, nodes_model
from rammer_ir.testing.onnx_models import run_evaluator, run_imported

GENERATOR = np.random.default_rng(17)
DOMAIN = "ai.onnx.preview.training"
STATES = {"Momentum": 1, "Adagrad": 1, "Adam": 2}
OPTIONS: dict[str, dict[str, Any]] = {
    "Momentum": {"alpha": 0.9, "beta": 0.7, "norm_coefficient": 0.01, "mode": "standard"},
    "Adagrad": {"decay_factor": 0.1, "epsilon": 1e-4, "norm_coefficient": 0.01},
    "Adam": {"alpha": 0.8, "beta": 0.95, "epsilon": 1e-4, "norm_coefficient": 0.01, "norm_coefficient_post": 0.02},
}


def step_model(op_type: str, step: int, count: int, **options: Any) -> tuple[onnx.ModelProto, dict[str, NDArray[Any]]]:
    inputs: dict[str, NDArray[Any]] = {"r": np.array(0.1, np.float32), "t": np.array(step)}
    for part in ("x", "g", *"vh"[: STATES[op_type]]):
        for item in range(count):
            values = GENERATOR.standard_normal((3, 4 + item)).astype(np.float32)
            inputs[f"{part}{item}"] = values if part in "xg" else np.abs(values)
    outputs = [f"{part}{item}_next" for part in ("x", *"vh"[: STATES[op_type]]) for item in range(count)]
    node = helper.make_node(op_type, [*inputs], outputs, domain=DOMAIN, **{**OPTIONS[op_type], **options})
    return nodes_model([node], inputs, domains={DOMAIN: 1}), inputs


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("step", [0, 3])
@pytest.mark.parametrize("op_type", STATES)
def test_steps(op_type: str, step: int, count: int) -> None:
    model, inputs = step_model(op_type, step, count)
    for result, wanted in zip(run_imported(import_model(model), inputs), run_evaluator(model, inputs), strict=True):
        assert (result.dtype, result.shape) == (np.float32, wanted.shape)
        np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5)


def test_nesterov() -> None:
    model, inputs = step_model("Momentum", 2, 1, mode="nesterov")
    for result, wanted in zip(run_imported(import_model(model), inputs), run_evaluator(model, inputs), strict=True):
        np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises((UnsupportedModelError, InvalidInputError), match="mode that is not known: 'other'"):
        import_model(step_model("Momentum", 2, 1, mode="other")[0])


def test_compiled() -> None:
    model, inputs = step_model("Adam", 3, 1)
    wanted = [array.astype(np.float32) for array in run_evaluator(model, inputs)]
    names = [output.name for output in model.graph.output]
    check_compiled(model, inputs, dict(zip(names, wanted, strict=True)), rtol=1e-4, atol=1e-5)
    check_cuda_compiles(model)
