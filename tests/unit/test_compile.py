"""`rammer_ir.compile` and `Program` on the CPU: right results, and errors in one line."""

from pathlib import Path

import numpy as np
import pytest

import rammer_ir
from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.demo.models import light_model, lstm_model, mlp_model
from rammer_ir.errors import DeviceError, InvalidInputError, RammerError
from rammer_ir.pipelines import PRECISIONS, STRATEGIES
from rammer_ir.random_inputs import random_inputs

MODELS = {
    "mlp": lambda: mlp_model((48, 96, 33, 10), batch=16),
    "mlp of one row": lambda: mlp_model((48, 96, 10), batch=1),
    "lstm": lambda: lstm_model(layers=2, steps=7, hidden=24),
    "lstm of three": lambda: lstm_model(layers=1, steps=5, hidden=16, batch=3),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", MODELS)
def test_results_are_right_and_repeatable(name: str, strategy: str) -> None:
    model = MODELS[name]()
    with rammer_ir.compile(model, device="cpu", strategy=strategy) as program:
        for seed in range(3):
            inputs = random_inputs(program.inputs, seed)
            outputs = program.run(inputs)
            comparison = compare(outputs, run_onnxruntime(model, inputs))
            assert comparison.is_close, comparison
            again = program.run(inputs)
            assert all(np.array_equal(outputs[output], again[output]) for output in outputs)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_squeezenet(strategy: str) -> None:
    model = light_model("squeezenet")
    with rammer_ir.compile(model, device="cpu", strategy=strategy) as program:
        inputs = random_inputs(program.inputs, seed=1)
        comparison = compare(program.run(inputs), run_onnxruntime(model, inputs))
        assert comparison.is_close, comparison
        assert program.report.operators < 40, "concatenations and views are no operators of their own"


def test_a_program_shows_its_levels_and_source() -> None:
    with rammer_ir.compile(mlp_model((16, 24, 8), batch=4), device="cpu") as program:
        assert program.levels == ("rop", "rtask", "vdevice")
        assert "rop.operator" in program.ir("rop")
        assert "rtask.dispatch" in program.ir("rtask")
        assert "vdevice.run" in program.ir("vdevice")
        assert 'extern "C"' in program.source
        with pytest.raises(InvalidInputError, match="no level 'ptx'"):
            program.ir("ptx")


def test_base_launches_each_operator_and_persistent_launches_once() -> None:
    model = lstm_model(layers=2, steps=4, hidden=16)
    with rammer_ir.compile(model, device="cpu", strategy="base") as base:
        assert base.report.launches > 1
        assert base.report.barriers == 0
    with rammer_ir.compile(model, device="cpu", strategy="persistent") as persistent:
        assert persistent.report.launches == 1
        assert persistent.report.barriers > 0


def test_a_path_is_compiled_too(tmp_path: Path) -> None:
    (tmp_path / "mlp.onnx").write_bytes(mlp_model((16, 24, 8), batch=4).SerializeToString())
    with rammer_ir.compile(tmp_path / "mlp.onnx", device="cpu") as program:
        assert [binding.name for binding in program.inputs] == ["x"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "'x' is missing"),
        ({"x": np.zeros((4, 17), np.float32)}, "has shape"),
        ({"x": np.zeros((4, 16), np.float64)}, "has dtype float64"),
        ({"x": np.zeros((4, 16), np.float32), "z": np.zeros(1)}, "'z'"),
    ],
)
def test_wrong_inputs_are_refused_in_one_line(inputs: dict[str, np.ndarray], message: str) -> None:
    with rammer_ir.compile(mlp_model((16, 24, 8), batch=4), device="cpu") as program:
        with pytest.raises(InvalidInputError, match=message) as error:
            program.run(inputs)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "tpu"}, "no device 'tpu'"),
        ({"device": "cuda:"}, "no device 'cuda:'"),
        ({"device": "cpu", "strategy": "magic"}, "no strategy 'magic'"),
        ({"device": "cpu", "precision": "fp8"}, "no precision 'fp8'"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        rammer_ir.compile(
            mlp_model((16, 24, 8), batch=4),
            device=arguments["device"],
            strategy=arguments.get("strategy"),
            precision=arguments.get("precision"),
        )


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_cpu_is_as_exact_as_asked(precision: str) -> None:
    model = mlp_model((16, 24, 8), batch=4)
    with rammer_ir.compile(model, device="cpu", precision=precision) as program:
        assert program.precision == precision
        inputs = random_inputs(program.inputs, seed=0)
        assert compare(program.run(inputs), run_onnxruntime(model, inputs), precision).is_close


def test_an_absent_gpu_is_an_error_in_one_line() -> None:
    with pytest.raises(DeviceError, match="cuda:99 is not there"):
        rammer_ir.compile(mlp_model((16, 24, 8), batch=4), device="cuda:99")


def test_without_a_compiler_the_program_is_interpreted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    model = lstm_model(layers=1, steps=3, hidden=8)
    with pytest.warns(UserWarning, match="no C\\+\\+ compiler found: install"):
        program = rammer_ir.compile(model, device="cpu")
    inputs = random_inputs(program.inputs, seed=0)
    assert compare(program.run(inputs), run_onnxruntime(model, inputs)).is_close


def test_an_unwritable_cache_is_an_error_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RAMMER_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(RammerError, match="RAMMER_CACHE_DIR"):
        rammer_ir.compile(mlp_model((16, 25, 8), batch=4), device="cpu")
