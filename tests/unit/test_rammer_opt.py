"""rammer-opt: exit codes, one line per error, the result on stdout and all else on stderr, files whole or absent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rammer_ir.cli.rammer_opt import main
from rammer_ir.pipelines import PIPELINES

PROGRAM = """\
%0 = arith.constant 1 : i32
%1 = arith.constant 1 : i32
"test.op"(%0, %1) : (i32, i32) -> ()
"""

LOADED_PASS = '''
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr

from rammer_ir import Pass, register_pass
from rammer_ir.errors import RammerError


@register_pass
class Mark(Pass):
    """Marks the module."""

    name = "test-mark"
    text: str = "marked"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if self.text == "refuse":
            raise RammerError("cannot mark", location="here")
        if self.text == "crash":
            raise KeyError("key")
        op.attributes["mark"] = StringAttr(self.text)
'''


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "program.mlir"
    path.write_text(PROGRAM)
    return str(path)


@pytest.fixture
def loaded(tmp_path: Path) -> str:
    path = tmp_path / "my_passes.py"
    path.write_text(LOADED_PASS)
    return str(path)


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def fails(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """The one line that the failing command prints."""
    assert main(args) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1
    return err.rstrip("\n")


def test_result_goes_to_stdout_alone(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([program, "-p", "cse"]) == 0
    out, err = capsys.readouterr()
    assert '"test.op"(%0, %0)' in out
    assert err == ""


def test_ir_and_timings_go_to_stderr(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([program, "-p", "cse,dce"]) == 0
    plain = capsys.readouterr().out
    assert main([program, "-p", "cse,dce", "--print-ir-after-all", "--time-passes"]) == 0
    out, err = capsys.readouterr()
    assert out == plain
    assert err.count("IR Dump After") == 2
    assert "percent" in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-p", "cze"], "rammer-opt: error: unknown pass 'cze'; did you mean 'dce'?"),
        (["-p", "cse{limit=3}"], "rammer-opt: error: pass cse: no option 'limit'; it has none"),
        (["-p", "cse{"], "rammer-opt: error: cannot read the pass pipeline 'cse{': Expected argument name here"),
        (["-t", "mlir{colour=1}"], "target mlir: cannot build"),
        (["-t", "fortran"], "invalid choice: 'fortran'"),
        (["-t", "mlir{"], "cannot read the target"),
        (["--no-such-flag"], "unrecognized arguments: --no-such-flag"),
        (["-p", "cse", "--print-ir-after", "dce"], "no pass 'dce' in the pipeline"),
        (["--load", "no_such_module_anywhere"], "cannot load 'no_such_module_anywhere': ModuleNotFoundError"),
        (["--load", "no_such_file.py"], "cannot load 'no_such_file.py': FileNotFoundError"),
        (["-f", "onnx", "--split-input-file"], "an ONNX model is read whole from its file"),
    ],
)
def test_wrong_arguments(program: str, args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in fails(capsys, program, *args)


def test_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "absent.mlir")
    assert fails(capsys, path) == f"{path}: error: No such file or directory"


def test_unknown_extension(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "program.txt", PROGRAM)
    assert fails(capsys, path).startswith(f"{path}: error: Unrecognized file extension 'txt'")
    assert main([path, "-f", "mlir"]) == 0


def test_binary_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "program.mlir"
    path.write_bytes(b"\xff\xfe\x00")
    assert fails(capsys, str(path)).startswith(f"{path}: error: not a text file")


def test_parse_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "program.mlir", '\n  "nonsense.op"() : () -> ()\n')
    assert fails(capsys, path) == f"{path}:2:16: error: Operation nonsense.op is not registered"


def test_verify_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "program.mlir", '"test.op"() : () -> ()\nfunc.return\n')
    assert fails(capsys, path) == f"{path}:2:1: error: 'func.return' expects parent op 'func.func'"


def test_verify_error_names_the_given_location(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "program.mlir", 'func.return loc("conv1")\n')
    assert fails(capsys, path).startswith('"conv1": error: ')


def test_invalid_attribute_has_a_location(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "program.mlir", '"test.op"() : () -> ()\n"test.op"() {a = array<f128: 1>} : () -> ()\n')
    assert fails(capsys, path).startswith(f"{path}:2:")


def test_line_numbers_of_split_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "program.mlir", '"test.op"() : () -> ()\n// -----\n"test.op"() : () -> ()\nfunc.return\n')
    assert main([path, "--split-input-file"]) == 1
    assert capsys.readouterr().err.startswith(f"{path}:4:1: error: ")


def test_diagnostics_are_the_result_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "program.mlir", 'func.return\n// -----\n"test.op"() : () -> ()\n')
    assert main([path, "--verify-diagnostics", "--split-input-file"]) == 0
    out, err = capsys.readouterr()
    assert "expects parent op 'func.func'" in out
    assert '"test.op"' in out
    assert err == ""


def test_loaded_pass(program: str, loaded: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([program, "--load", loaded, "-p", 'test-mark{text="mine"}']) == 0
    assert 'mark = "mine"' in capsys.readouterr().out


def test_wrong_option_lists_the_options(program: str, loaded: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = fails(capsys, program, "--load", loaded, "-p", "test-mark{txt=a}")
    assert line == "rammer-opt: error: pass test-mark: no option 'txt'; its options: text: str = marked"


def test_error_of_a_pass_names_it(program: str, loaded: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = fails(capsys, program, "--load", loaded, "-p", "test-mark{text=refuse}")
    assert line == "here: error: pass test-mark: cannot mark"


def test_crash_of_a_pass_is_one_line(program: str, loaded: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = fails(capsys, program, "--load", loaded, "-p", "test-mark{text=crash}")
    assert line == "rammer-opt: error: pass test-mark: KeyError: 'key'"


def test_debug_gives_the_traceback(program: str, loaded: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([program, "--load", loaded, "-p", "test-mark{text=crash}", "--debug"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert 'raise KeyError("key")' in err


def test_broken_file_to_load(program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "broken.py", "def f(:\n")
    assert "SyntaxError" in fails(capsys, program, "--load", path)


def test_named_pipeline(program: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PIPELINES, "inner", ("dce",))
    monkeypatch.setitem(PIPELINES, "outer", ("cse", "inner"))
    assert main([program, "-p", "outer,canonicalize", "--time-passes"]) == 0
    rows = [line.split()[-1] for line in capsys.readouterr().err.splitlines()]
    assert rows == ["pass", "cse", "dce", "canonicalize", "total"]
    assert "has no options" in fails(capsys, program, "-p", "outer{limit=1}")


def test_output_file(program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "out.mlir"
    assert main([program, "-p", "cse", "-o", str(path)]) == 0
    assert '"test.op"(%0, %0)' in path.read_text()
    assert capsys.readouterr() == ("", "")


def test_failure_leaves_the_output_file_alone(
    program: str, loaded: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.mlir"
    path.write_text("earlier")
    before = sorted(tmp_path.iterdir())
    fails(capsys, program, "--load", loaded, "-p", "test-mark{text=crash}", "-o", str(path))
    assert path.read_text() == "earlier"
    assert sorted(tmp_path.iterdir()) == before


def test_output_folder_is_absent(program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "absent" / "out.mlir")
    assert fails(capsys, program, "-o", path) == f"{path}: error: No such file or directory"


def test_output_to_a_device(program: str) -> None:
    assert main([program, "-o", os.devnull]) == 0
    assert not Path(os.devnull).is_file()


def run_tool(*args: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    tool = Path(sys.executable).parent / "rammer-opt"
    return subprocess.run([tool, *args], input=stdin, capture_output=True, text=True, timeout=60)


def test_installed_tool_reads_stdin() -> None:
    result = run_tool("-p", "cse", stdin=PROGRAM)
    assert result.returncode == 0
    assert '"test.op"(%0, %0)' in result.stdout
    assert run_tool(stdin="nonsense").returncode == 1


def test_version_and_help() -> None:
    assert run_tool("--version").stdout.startswith("rammer-opt ")
    result = run_tool("--help")
    assert result.returncode == 0
    assert "examples:" in result.stdout


def test_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    path = write(tmp_path, "long.mlir", '"test.op"() : () -> ()\n' * 5000)
    tool = Path(sys.executable).parent / "rammer-opt"
    command = f"'{tool}' '{path}' | head -n 1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert result.stdout == "builtin.module {\n"
    assert result.stderr == ""


def test_start_is_light(program: str) -> None:
    code = (
        "import sys\n"
        "from rammer_ir.cli.rammer_opt import main\n"
        f"main([{program!r}, '-o', {os.devnull!r}])\n"
        "heavy = {'numpy', 'onnx', 'cuda', 'networkx', 'scipy', 'rich'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stderr.strip() == ""


@pytest.fixture
def model(tmp_path: Path) -> str:
    from onnx import TensorProto, helper

    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in ("x", "y")]
    node = helper.make_node("Relu", ["x"], ["y"], name="the node")
    graph = helper.make_graph([node], "graph", value[:1], value[1:])
    path = tmp_path / "model.onnx"
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    path.write_bytes(proto.SerializeToString())
    return str(path)


def test_onnx_model(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([model, "--print-debuginfo"]) == 0
    out, err = capsys.readouterr()
    assert "rop.generic" in out
    assert 'loc("the node")' in out
    assert err == ""


def test_printed_onnx_model_is_ir_again(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "model.mlir")
    assert main([model, "-o", path]) == 0
    assert main([path]) == 0
    assert capsys.readouterr().out == Path(path).read_text()


def test_damaged_onnx_model(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    content = Path(model).read_bytes()
    Path(model).write_bytes(content[: len(content) // 2])
    assert fails(capsys, model).startswith(f"{model}: error: ")
