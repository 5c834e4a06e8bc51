"""Compiled models, and the hand-written LSTM pair, on a GPU: right, the same every time, and in time if broken."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

import rammer_ir
from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.demo.models import light_model, lstm_model, mlp_model
from rammer_ir.errors import ProgramTimeoutError
from rammer_ir.pipelines import STRATEGIES
from rammer_ir.random_inputs import random_inputs
from rammer_ir.runtime.cuda.program import CudaProgram
from rammer_ir.runtime.program_image import Opcode, ProgramImage
from rammer_ir.runtime.selection import select_target
from rammer_ir.testing.lowered_models import lower_model
from rammer_ir.testing.lstm_pair import ON_CUDA, LstmPair, lower_pair, pair_reference
from rammer_ir.testing.program_images import without_instruction

pytestmark = pytest.mark.device

Array = NDArray[Any]
Load = Callable[..., CudaProgram]

MODELS: Mapping[str, Callable[[], onnx.ModelProto]] = {
    "mlp": mlp_model,
    "squeezenet": lambda: light_model("squeezenet"),
    "lstm": lstm_model,
}
BY_EVENTS = replace(ON_CUDA, events=True)
REPEATS = 100
TIMEOUT = 0.2

both_forms = pytest.mark.parametrize("pair", [ON_CUDA, BY_EVENTS], ids=["by words", "by events"])


def assert_same_every_time(program: CudaProgram, inputs: Mapping[str, object]) -> None:
    """Runs one after another, on memory that holds NaN before each, have equal outputs, bit for bit."""
    with program.bound(inputs) as bound:
        first: dict[str, bytes] = {}
        for _ in range(REPEATS):
            bound.poison()
            bound.submit()
            bound.wait()
            found = {name: output.tobytes() for name, output in bound.outputs().items()}
            first = first or found
            assert found == first


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", MODELS)
def test_models_are_right_and_the_same_every_time(name: str, strategy: str) -> None:
    model = MODELS[name]()
    with rammer_ir.compile(model, device="cuda", strategy=strategy) as program:
        for seed in range(3):
            inputs = random_inputs(program.inputs, seed)
            comparison = compare(program.run(inputs), run_onnxruntime(model, inputs))
            assert comparison.is_close, comparison
        assert_same_every_time(cast("CudaProgram", program.loaded), random_inputs(program.inputs, seed=3))


def assert_reported(
    load: Load, image: ProgramImage, weights: Array, inputs: Mapping[str, object], opcode: Opcode, message: str
) -> None:
    """Without one instruction of a vEU, a run ends with an error in time; the right program runs after it as before."""
    right = load(image, weights)
    expected = right.run(inputs)
    for veu in (0, image.launches[0].veus - 1):
        wrong = load(without_instruction(image, veu, opcode), weights, timeout_seconds=TIMEOUT)
        start = time.perf_counter()
        with pytest.raises(ProgramTimeoutError, match=message):
            wrong.run(inputs)
        assert time.perf_counter() - start < 10.0
        wrong.close()
        outputs = right.run(inputs)
        assert all(np.array_equal(outputs[output], expected[output]) for output in expected)
    right.close()


@pytest.mark.parametrize("name", MODELS)
def test_a_missing_barrier_of_a_model_is_reported(load: Load, name: str) -> None:
    model = MODELS[name]()
    image, weights = lower_model(model, f"{select_target('cuda').device_pass},persistent").encode()
    assert_reported(load, image, weights, random_inputs(image.inputs, seed=0), Opcode.BARRIER, "barrier 0")


def rows(steps: int) -> Array:
    return np.random.default_rng(steps).standard_normal((steps, ON_CUDA.hidden)).astype(np.float32)


@both_forms
def test_the_lstm_pair(load: Load, pair: LstmPair) -> None:
    image, weights = lower_pair(pair).encode()
    program = load(image, weights, poison=True)
    for steps in (1, 2, 37, pair.steps):
        outputs = program.run({"x": rows(steps)})
        for name, wanted in pair_reference(rows(steps)).items():
            np.testing.assert_allclose(outputs[name], wanted, rtol=1e-4, atol=1e-5, err_msg=name)
    assert_same_every_time(program, {"x": rows(pair.steps)})
    program.close()


@pytest.mark.parametrize(
    ("pair", "opcode", "message"),
    [(BY_EVENTS, Opcode.SIGNAL, "event 'e[01]'"), (ON_CUDA, Opcode.RUN, "a word did not arrive")],
    ids=["signal", "word"],
)
def test_a_missing_signal_or_word_of_the_lstm_pair_is_reported(
    load: Load, pair: LstmPair, opcode: Opcode, message: str
) -> None:
    image, weights = lower_pair(pair).encode()
    assert_reported(load, image, weights, {"x": rows(5)}, opcode, message)
