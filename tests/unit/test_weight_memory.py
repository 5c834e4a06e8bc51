"""The weights of a model are in memory once, as its file's pages, until they are arranged for the device."""

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest

from rammer_ir.demo.models import mlp_model
from rammer_ir.errors import RammerError
from rammer_ir.frontend.inline_data import LEAST_BYTES
from rammer_ir.frontend.model_file import read_model_file
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.testing.lowered_models import lower_model
from rammer_ir.testing.onnx_models import Arrays
from rammer_ir.weights.arrangement import arrange_weights
from rammer_ir.weights.recipes import evaluate_recipes

SIDE = 1536
LAYERS = 3
WEIGHT_BYTES = 4 * LAYERS * SIDE * SIDE

MEASURE = """
import resource, sys
from rammer_ir.context import new_context
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.weights.arrangement import arrange_weights

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def compile(path):
    imported = import_model(path)
    run_passes(new_context(), imported.module, parse_pass_pipeline("set-device{device=h100},base"))
    image = encode(imported.module)
    return imported, arrange_weights(imported.module, imported.weights, image.weights, image.weight_bytes)

small, large, what = sys.argv[1:]
task = import_model if what == "import" else compile
task(small)
before = peak()
kept = task(large)
print(peak() - before)
"""


def save(path: Path, side: int, *, external: bool) -> Path:
    """A chain of matrix products in a file, with its weights in it or in another."""
    model = mlp_model([side] * (LAYERS + 1), batch=8)
    cast("Any", onnx).save_model(
        model, path, save_as_external_data=external, location=f"{path.stem}.bin", size_threshold=0
    )
    return path


def growth(folder: Path, what: str, *, external: bool) -> int:
    """By how many bytes a large model makes a process grow that has done the same with a small one."""
    files = [save(folder / f"{name}.onnx", side, external=external) for name, side in (("small", 64), ("large", SIDE))]
    command = [sys.executable, "-c", MEASURE, *map(str, files), what]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize("external", [False, True])
def test_import_copies_no_weights(tmp_path: Path, external: bool) -> None:
    assert growth(tmp_path, "import", external=external) < 1.3 * WEIGHT_BYTES


def test_compilation_adds_the_arena(tmp_path: Path) -> None:
    """The file's pages, the arena, and what it takes to pack one of the weights."""
    assert growth(tmp_path, "compile", external=False) < 2.8 * WEIGHT_BYTES


def test_inline_data_is_read_from_the_file(tmp_path: Path) -> None:
    path = save(tmp_path / "model.onnx", 64, external=False)
    tensors = {tensor.name: tensor for tensor in read_model_file(path).graph.initializer}
    assert {name for name, tensor in tensors.items() if tensor.HasField("raw_data")} == {f"b{n}" for n in range(LAYERS)}
    expected: Arrays = {
        tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in mlp_model([64] * (LAYERS + 1)).graph.initializer
    }
    weights = import_model(path).weights
    for name, array in expected.items():
        np.testing.assert_array_equal(weights[name], array)
    assert expected["w0"].nbytes >= LEAST_BYTES


def test_a_file_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    path = save(tmp_path / "store" / "model.onnx", 64, external=False)
    (tmp_path / "link.onnx").symlink_to(path)
    assert set(import_model(tmp_path / "link.onnx").weights) == set(import_model(path).weights)


@pytest.mark.parametrize("position", [0, 40, 300, -1])
def test_a_file_that_ends_too_early(tmp_path: Path, position: int) -> None:
    path = save(tmp_path / "model.onnx", 64, external=False)
    path.write_bytes(path.read_bytes()[:position])
    with pytest.raises(RammerError):
        import_model(path)


def test_arranging_gives_what_evaluating_does() -> None:
    lowered = lower_model(mlp_model((96, 192, 40), batch=48), "set-device{device=h100},base")
    image = encode(lowered.module)
    arena = arrange_weights(lowered.module, lowered.weights, image.weights, image.weight_bytes)
    evaluate_recipes(lowered.module, lowered.weights)
    np.testing.assert_array_equal(arena, lowered.weights.arrange(image.weights, image.weight_bytes))
