"""The hand-written program of two LSTM layers: proved, run everywhere, and refused when it is damaged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.interpreters.kernel_check import check_kernel
from rammer_ir.interpreters.vdevice import run_module
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.runtime.host.cores import available_cores
from rammer_ir.runtime.host.program import HostProgram
from rammer_ir.scheduling.program_form import kernels_of
from rammer_ir.testing.lstm_pair import LAYERS, ON_CUDA, ON_HOST, LstmPair
from rammer_ir.weights.store import WeightStore

UNEVEN = replace(ON_HOST, hidden=15)
"""The last vEU of a layer has a unit that does not exist."""

ON_TWO_CORES = replace(ON_HOST, veus=1)

PROGRAMS = Path(__file__).parents[1] / "programs"
Array = NDArray[np.float32]


def build(text: str, passes: str = "plan-memory,verify-program") -> ModuleOp:
    context = new_context()
    module = parse_module(context, text)
    run_passes(context, module, parse_pass_pipeline(passes))
    return module


def random_weights(pair: LstmPair) -> dict[str, Array]:
    random = np.random.default_rng(0)
    weights: dict[str, Array] = {}
    for layer in range(LAYERS):
        for name, shape in ((f"u{layer}", (4, pair.padded, pair.columns)), (f"b{layer}", (4, pair.padded))):
            weights[name] = (random.standard_normal(shape) * 0.2).astype(np.float32)
    return weights


def reference(pair: LstmPair, weights: dict[str, Array], x: Array) -> list[Array]:
    """Both layers' states, in double precision."""
    rows = x.astype(np.float64)
    outputs: list[Array] = []
    for layer in range(LAYERS):
        u = weights[f"u{layer}"].astype(np.float64)[:, : pair.hidden]
        b = weights[f"b{layer}"].astype(np.float64)[:, : pair.hidden]
        h, c = np.zeros(pair.hidden), np.zeros(pair.hidden)
        states: list[NDArray[np.float64]] = []
        for row in rows:
            i, o, f, g = np.einsum("guk,k->gu", u, np.concatenate([row, h])) + b
            c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            h = np.tanh(c) / (1 + np.exp(-o))
            states.append(h)
        rows = np.array(states).reshape(len(rows), pair.hidden)
        outputs.append(rows.astype(np.float32))
    return outputs


def inputs(pair: LstmPair, steps: int) -> Array:
    return np.random.default_rng(steps).standard_normal((steps, pair.hidden)).astype(np.float32)


@pytest.mark.parametrize(("name", "pair"), [("lstm_pair", ON_CUDA), ("lstm_pair_small", ON_HOST)])
def test_text_on_disk_is_the_builder_s(name: str, pair: LstmPair) -> None:
    assert (PROGRAMS / f"{name}.mlir").read_text(encoding="utf-8") == pair.text()


@pytest.mark.parametrize("steps", [1, 5, ON_HOST.steps])
@pytest.mark.parametrize("pair", [ON_HOST, UNEVEN], ids=["even", "uneven"])
def test_interpreter(pair: LstmPair, steps: int) -> None:
    weights, x = random_weights(pair), inputs(pair, steps)
    padded = np.zeros((pair.steps, pair.hidden), np.float32)
    padded[:steps] = x
    outputs = run_module(build(pair.text()), {"x": padded, "n": np.array(steps)}, weights)
    for found, expected in zip(outputs, reference(pair, weights, x), strict=True):
        np.testing.assert_allclose(found[:steps], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", range(LAYERS))
def test_bodies_do_what_the_kernels_say(layer: int) -> None:
    module = build(UNEVEN.text())
    check_kernel(module, kernels_of(module)[f"cell{layer}"], loop=3)


@pytest.mark.parametrize("pair", [ON_TWO_CORES, UNEVEN], ids=["even", "uneven"])
def test_cpu(pair: LstmPair) -> None:
    if LAYERS * pair.veus > available_cores():
        pytest.skip("a vEU is a core")
    module = build(pair.text())
    weights = random_weights(pair)
    store = WeightStore()
    for name, array in weights.items():
        store.add(name, array)
    image = encode(module)
    program = HostProgram(image, store.arrange(image.weights, image.weight_bytes))
    try:
        for steps in (1, 7, pair.steps, 2):
            x = inputs(pair, steps)
            outputs = program.run({"x": x})
            for name, expected in zip(("y0", "y1"), reference(pair, weights, x), strict=True):
                assert outputs[name].shape == expected.shape
                np.testing.assert_allclose(outputs[name], expected, rtol=1e-5, atol=1e-6)
    finally:
        program.close()
