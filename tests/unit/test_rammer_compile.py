"""`rammer compile`, `rammer inspect` and `rammer run` of what was compiled: output, errors and exit codes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rammer_ir.artefact.writer import write_artefact
from rammer_ir.cli.rammer import main
from rammer_ir.compiler import compile_program
from rammer_ir.demo.models import mlp_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "mlp.onnx"
    path.write_bytes(mlp_model((16, 24, 8), batch=4).SerializeToString())
    return path


@pytest.fixture(scope="module")
def artefact(model: Path) -> Path:
    path = model.with_suffix(".rammer")
    assert main(["compile", str(model), "--device", "cpu"]) == 0
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    return output.out


def one_error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments]) == 1
    output = capsys.readouterr()
    assert output.err.count("\n") == 1, output.err
    return output.err


def test_compile_says_what_it_wrote(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = str(tmp_path / "out.rammer")
    text = printed(capsys, "compile", str(model), "-o", output, "--device", "cpu", "--strategy", "base")
    assert text.startswith(f"{output}: ")
    assert "strategy base for host, code for linux-" in text
    result = json.loads(printed(capsys, "compile", str(model), "-o", output, "--device", "cpu", "--json"))
    assert result["output"] == output
    assert result["bytes"] == Path(output).stat().st_size
    assert result["origin"]["model"] == "mlp.onnx"


def test_run_takes_what_was_compiled(model: Path, artefact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = artefact.parent
    for source, name in ((model, "a"), (artefact, "b")):
        printed(capsys, "run", str(source), "--device", "cpu", "--output", f"y={folder / name}.npy")
    np.testing.assert_array_equal(np.load(folder / "a.npy"), np.load(folder / "b.npy"))
    result = json.loads(printed(capsys, "run", str(artefact), "--json"))
    assert result["load_seconds"] > 0
    assert result["device"] == "cpu"
    assert json.loads(printed(capsys, "run", str(model), "--device", "cpu", "--json"))["load_seconds"] is None


def test_run_refuses_what_a_compiled_program_has_not(artefact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "was compiled for strategy persistent" in one_error(capsys, "run", str(artefact), "--strategy", "base")
    assert "was compiled with precision fp32" in one_error(capsys, "run", str(artefact), "--precision", "tf32")
    assert "--check compares with onnxruntime" in one_error(capsys, "run", str(artefact), "--check")
    assert "for device cpu (host)" in one_error(capsys, "run", str(artefact), "--device", "cuda")


def test_inspect_an_artefact(artefact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "inspect", str(artefact))
    for part in (
        "format 2",
        "mlp.onnx (sha256 ",
        "device    host, strategy persistent, precision fp32",
        "input     x: float32",
    ):
        assert part in text
    facts = json.loads(printed(capsys, "inspect", str(artefact), "--json"))
    assert facts["file"]["problem"] is None
    program = facts["program"]
    assert sum(body["tasks"] for body in program["bodies"]) == program["report"]["tasks"]
    assert 'extern "C"' in printed(capsys, "inspect", str(artefact), "--source")
    listed = printed(capsys, "inspect", str(artefact), "--bodies").splitlines()
    assert [line.split()[0] for line in listed] == ["body", *(body["name"] for body in program["bodies"])]


def test_names_are_no_commands_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "named.rammer"
    compiled = compile_program(mlp_model((16, 24, 8), batch=4), device="cpu")
    image = replace(compiled.image, inputs=(replace(compiled.image.inputs[0], name="\x1b[2Jx"),))
    write_artefact(replace(compiled, image=image), path)
    assert "input     \N{REPLACEMENT CHARACTER}[2Jx: float32" in printed(capsys, "inspect", str(path))


def test_inspect_a_damaged_artefact(artefact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(artefact.read_bytes())
    data[-4096] ^= 1  # The weights come last, at a page.
    path = tmp_path / "damaged.rammer"
    path.write_bytes(data)
    assert main(["inspect", str(path)]) == 1
    output = capsys.readouterr()
    assert "section   weights: " in output.out
    assert [line.endswith("DAMAGED") for line in output.out.splitlines() if "weights" in line] == [True]
    assert output.err == (
        f"{path}: error: a damaged artefact: section 'weights' is not what was written; compile the model again\n"
    )
    assert main(["inspect", str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["program"] is None
    path.write_bytes(data[:5000])
    assert "a damaged artefact: it has 5000 bytes" in one_error(capsys, "inspect", str(path))


def test_inspect_a_model(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "inspect", str(model))
    assert "ONNX model" in text
    assert "2 Gemm" in text
    assert "not supported" not in text
    facts = json.loads(printed(capsys, "inspect", str(model), "--json"))
    assert facts["inputs"] == [{"name": "x", "dtype": "float", "shape": [4, 16]}]
    assert facts["weight_elements"] == 16 * 24 + 24 + 24 * 8 + 8
    assert "compile it first" in one_error(capsys, "inspect", str(model), "--bodies")


def test_what_cannot_be_inspected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("neither")
    assert "not an ONNX model" in one_error(capsys, "inspect", str(tmp_path / "text"))
    assert "absent" in one_error(capsys, "inspect", str(tmp_path / "absent"))


def test_compile_refuses(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no device 'h1000'" in one_error(capsys, "compile", str(model), "--device", "h1000")
    assert "no CUDA architecture" in one_error(capsys, "compile", str(model), "--device", "cpu", "--arch", "sm_90a")
    place = str(tmp_path / "absent" / "out.rammer")
    assert place in one_error(capsys, "compile", str(model), "--device", "cpu", "-o", place)
