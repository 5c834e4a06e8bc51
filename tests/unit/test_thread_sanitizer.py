"""Compiled programs on CPU threads under ThreadSanitizer: silent, and not without a barrier or a wait of a model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.context import new_context
from rammer_ir.dialects.vdevice import BarrierOp, ForOp, RunOp
from rammer_ir.errors import DeviceError, VerificationError
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.runtime.cache import CompileCache
from rammer_ir.runtime.host.executable import Executable, build_executable
from rammer_ir.testing.lowered_models import LoweredModel, lower_model
from rammer_ir.testing.lstm_pair import ON_HOST, LstmPair, lower_pair, pair_reference
from rammer_ir.testing.mutants.sites import replaced
from rammer_ir.testing.small_models import SMALL_MODELS, small_inputs

PIPELINE = "set-device{device=host veus=3},persistent"
RUNS = 20
ATTEMPTS = 25
"""
A thread that is late at the barrier before sees what the others did in the meantime: it does not race every time, and
hardly ever on a machine that runs one thread after the other because it is busy.
"""

every_model = pytest.mark.parametrize("name", SMALL_MODELS)


def sanitized(lowered: LoweredModel, model: onnx.ModelProto, folder: Path) -> Executable:
    """The model with its inputs; compiled bodies go to the tests' cache folder."""
    image, weights = lowered.encode()
    return build_executable(image, small_inputs(model), weights, folder=folder, cache=CompileCache())


def barriers(module: ModuleOp) -> list[BarrierOp]:
    return [op for op in module.walk() if isinstance(op, BarrierOp)]


def races(executable: Executable) -> bool:
    """Whether the sanitizer sees a race in any of the attempts; any other failure is raised."""
    for _ in range(ATTEMPTS):
        try:
            executable.run(runs=RUNS)
        except DeviceError as error:
            if "data race" not in str(error):
                raise
            return True
    return False


@every_model
def test_models_have_no_race_unless_a_barrier_is_missing(name: str, tmp_path: Path) -> None:
    model = SMALL_MODELS[name]()
    lowered = lower_model(model, PIPELINE)
    outputs = sanitized(lowered, model, tmp_path).run(runs=RUNS)
    comparison = compare(outputs, run_onnxruntime(model, small_inputs(model)))
    assert comparison.is_close, comparison
    count = len(barriers(lowered.module))
    assert count >= 3
    assert any(isinstance(barrier.parent_op(), ForOp) for barrier in barriers(lowered.module)) == (name == "lstm")
    for number in range(count):
        broken = LoweredModel(lowered.module.clone(), lowered.weights)
        barrier = barriers(broken.module)[number]
        barrier.detach()
        barrier.erase()
        with pytest.raises(VerificationError, match="race on"):
            run_passes(new_context(), broken.module, parse_pass_pipeline("verify-program"))
        assert races(sanitized(broken, model, tmp_path)), f"no race seen without barrier {number}"


def waiting(module: ModuleOp) -> list[RunOp]:
    return [op for op in module.walk() if isinstance(op, RunOp) and op.waits]


def test_events_have_no_race_unless_a_run_does_not_wait(tmp_path: Path) -> None:
    model = SMALL_MODELS["convolutions"]()
    lowered = lower_model(model, PIPELINE.replace("persistent", "events"))
    assert not barriers(lowered.module)
    outputs = sanitized(lowered, model, tmp_path).run(runs=RUNS)
    comparison = compare(outputs, run_onnxruntime(model, small_inputs(model)))
    assert comparison.is_close, comparison
    count = len(waiting(lowered.module))
    assert count >= 3
    for number in (0, count - 1):
        broken = LoweredModel(lowered.module.clone(), lowered.weights)
        replaced(waiting(broken.module)[number], waits=[])
        with pytest.raises(VerificationError, match="race on"):
            run_passes(new_context(), broken.module, parse_pass_pipeline("verify-program"))
        assert races(sanitized(broken, model, tmp_path)), f"no race seen without the waits of run {number}"


@pytest.mark.parametrize("pair", [ON_HOST, replace(ON_HOST, events=True)], ids=["by words", "by events"])
def test_the_lstm_pair_has_no_race(pair: LstmPair, tmp_path: Path) -> None:
    image, weights = lower_pair(pair).encode()
    x = np.random.default_rng(0).standard_normal((pair.steps, pair.hidden)).astype(np.float32)
    executable = build_executable(image, {"x": x}, weights, folder=tmp_path, cache=CompileCache())
    outputs = executable.run(runs=RUNS)
    for name, wanted in pair_reference(x).items():
        np.testing.assert_allclose(outputs[name], wanted, rtol=1e-4, atol=1e-5, err_msg=name)
