"""Models of the zoo: `rammer zoo`, and the small forms of its models, which PyTorch exported, against onnxruntime."""

import importlib.util
import re
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from numpy.typing import NDArray

import rammer_ir
from rammer_ir.cli.rammer import main
from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.random_inputs import random_inputs
from rammer_ir.testing.onnx_models import run_imported
from rammer_ir.zoo.catalogue import CATALOGUE

GRAPHS = Path(__file__).parents[1] / "zoo"
"""Written by `benchmarks/zoo/write_graphs.py`."""

SMALL = sorted(path.stem for path in GRAPHS.glob("*.onnxtxt"))
COMPILED = ("detector", "gpt2-decode", "mobilenet-v2", "seq2seq")
"""
Those that are compiled here, where each takes seconds; the others are interpreted as they were imported.

`benchmarks/zoo/check.py` compiles all models, small and large.
"""

needs_exporter = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "onnxscript")), reason="PyTorch is not installed"
)


def numbers(generator: np.random.Generator, value: onnx.ValueInfoProto) -> NDArray[Any]:
    """Numbers for an input or a weight; those of vectors, which are variances too, are positive."""
    shape = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
    if value.type.tensor_type.elem_type == onnx.TensorProto.INT64:
        return generator.integers(0, 2, shape)
    if not value.name.startswith("weight_"):
        return generator.standard_normal(shape).astype(np.float32)
    if len(shape) == 1:
        return generator.uniform(0.5, 1.5, shape).astype(np.float32)
    scale = np.sqrt(shape[0] / prod(shape))
    return (scale * generator.standard_normal(shape)).astype(np.float32)


def small_model(name: str) -> tuple[onnx.ModelProto, dict[str, NDArray[Any]]]:
    """A model with its weights, and inputs for it."""
    model = onnx.parser.parse_model((GRAPHS / f"{name}.onnxtxt").read_text(encoding="utf-8"))
    generator = np.random.default_rng(0)
    arrays = {value.name: numbers(generator, value) for value in model.graph.input}
    weights = {value: array for value, array in arrays.items() if value.startswith("weight_")}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, value) for value, array in weights.items())
    return model, {value: array for value, array in arrays.items() if value not in weights}


def test_there_is_a_small_graph_of_every_kind() -> None:
    described = {re.sub("-(branches|mobile)$", "", name) for name in CATALOGUE}
    assert {"nasnet-cifar", "resnext29-branches", *SMALL} <= set(CATALOGUE)
    assert described - {"nasnet", "resnext101"} <= set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_small_model(name: str) -> None:
    model, inputs = small_model(name)
    expected = run_onnxruntime(model, inputs)
    if name in COMPILED:
        with rammer_ir.compile(model, device="cpu") as program:
            outputs = program.run(inputs)
    else:
        outputs = dict(zip(expected, run_imported(import_model(model), inputs), strict=True))
    comparison = compare(outputs, expected)
    assert comparison.is_close, comparison


def test_link() -> None:
    root = Path(__file__).parents[2]
    assert (root / "rammer_ir" / "zoo").readlink() == Path("../benchmarks/zoo")


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CATALOGUE)


def test_unknown_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "export", "vgg"]) == 1
    assert capsys.readouterr().err == (
        "rammer: error: there is no model 'vgg' in the zoo: `rammer zoo list` names them\n"
    )


def test_export_without_torch(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rammer_ir.cli.zoo.NEEDED", ("no_such_module",))
    assert main(["zoo", "export", "lstm"]) == 1
    assert capsys.readouterr().err == "rammer: error: this needs no_such_module: pip install 'rammer-ir[zoo]'\n"


@needs_exporter
@pytest.mark.filterwarnings("ignore")
def test_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.onnx"
    assert main(["zoo", "export", "llama-block", "--small", "-o", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"{path}: a block of Llama 3.2 1B, 128 tokens, a small form, ")
    with rammer_ir.compile(path, device="cpu") as program:
        inputs = random_inputs(program.inputs, seed=0)
        assert compare(program.run(inputs), run_onnxruntime(path, inputs)).is_close
