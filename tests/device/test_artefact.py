"""A program from a file on a GPU: the results of the compiled one, and no compiler."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rammer_ir
from rammer_ir.artefact.writer import write_artefact
from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.compiler import compile_program
from rammer_ir.demo.models import light_model, lstm_model
from rammer_ir.random_inputs import random_inputs

pytestmark = pytest.mark.device

SCRIPT = """
import sys
sys.modules["cuda.bindings.nvrtc"] = sys.modules["cuda.bindings.nvjitlink"] = None
import numpy as np, rammer_ir
with rammer_ir.load(sys.argv[1]) as program:
    np.save(sys.argv[3], program.run({"x": np.load(sys.argv[2])})["y"])
print(*(name for name in sys.modules if name.startswith(("xdsl.", "onnx"))))
"""


@pytest.mark.parametrize("strategy", ["base", "persistent"])
def test_a_file_runs_in_another_process_without_a_compiler(tmp_path: Path, strategy: str) -> None:
    with rammer_ir.compile(lstm_model(layers=2, steps=10, hidden=64), device="cuda", strategy=strategy) as program:
        inputs = random_inputs(program.inputs, seed=1)
        expected = program.run(inputs)["y"]
        program.save(tmp_path / "program")
    np.save(tmp_path / "x.npy", inputs["x"])
    arguments = [str(tmp_path / name) for name in ("program", "x.npy", "y.npy")]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["xdsl.utils", "xdsl.utils.exceptions"]
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)


def test_a_program_compiled_by_description_runs_on_the_device_it_describes(tmp_path: Path) -> None:
    model = light_model("squeezenet")
    write_artefact(compile_program(model, device="h100"), tmp_path / "program")
    with rammer_ir.load(tmp_path / "program") as program:
        inputs = random_inputs(program.inputs, seed=2)
        assert compare(program.run(inputs), run_onnxruntime(model, inputs)).is_close
