"""`rammer run`: its output, its errors and its exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from rammer_ir.cli.rammer import main
from rammer_ir.demo.models import mlp_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "mlp.onnx"
    path.write_bytes(mlp_model((16, 24, 8), batch=4).SerializeToString())
    return path


def test_run_and_check(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(model), "--device", "cpu", "--check"]) == 0
    printed = capsys.readouterr()
    assert "rOperators" in printed.out
    assert "agrees with onnxruntime" in printed.out
    assert printed.err == ""


def test_json(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["run", str(model), "--device", "cpu", "--strategy", "base", "--precision", "tf32", "--check", "--json"])
        == 0
    )
    result = json.loads(capsys.readouterr().out)
    assert result["strategy"] == "base"
    assert result["precision"] == "tf32"
    assert result["check"]["is_close"] is True
    assert result["outputs"]["y"] == {"shape": [4, 8], "dtype": "float32"}


def test_given_inputs_and_saved_outputs(model: Path, tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(4, 16)
    np.save(tmp_path / "x.npy", x)
    arguments = ["--input", f"x={tmp_path / 'x.npy'}", "--output", f"y={tmp_path / 'y.npy'}"]
    assert main(["run", str(model), "--device", "cpu", *arguments]) == 0
    assert np.load(tmp_path / "y.npy").sum() == pytest.approx(4.0, rel=1e-5), "rows of a softmax sum to one"


def _one_error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["run", *arguments]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1, printed.err
    return printed.err


def test_absent_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "absent.onnx" in _one_error(capsys, str(tmp_path / "absent.onnx"), "--device", "cpu")


def test_corrupt_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "corrupt.onnx"
    path.write_bytes(b"\x08\x07not a model at all")
    assert "corrupt.onnx" in _one_error(capsys, str(path), "--device", "cpu")


def test_unsupported_op(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    node = helper.make_node("Frobnicate", ["x"], ["y"], "the_node", domain="custom")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    y = helper.make_tensor_value_info("y", TensorProto.INT64, [1, None])
    model = helper.make_model(
        helper.make_graph([node], "g", [x], [y]), opset_imports=[helper.make_opsetid("custom", 17)]
    )
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    line = _one_error(capsys, str(tmp_path / "m.onnx"), "--device", "cpu")
    assert "Frobnicate" in line
    assert "the_node" in line
    assert "17" in line


def test_wrong_input_shape_and_name(model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 16), np.float32))
    assert "shape" in _one_error(capsys, str(model), "--device", "cpu", "--input", f"x={tmp_path / 'x.npy'}")
    assert "no input 'z'" in _one_error(capsys, str(model), "--device", "cpu", "--input", f"z={tmp_path / 'x.npy'}")
    assert "NAME=FILE" in _one_error(capsys, str(model), "--device", "cpu", "--input", "x")


def test_no_gpu(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cuda:99 is not there" in _one_error(capsys, str(model), "--device", "cuda:99")


def test_usage_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--help" in _one_error(capsys)
