"""Programs of the vdevice level, encoded, compiled for the host and run against NumPy; and what encoding refuses."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.parsing import parse_module
from rammer_ir.runtime.cache import CompileCache
from rammer_ir.runtime.host.program import HostProgram
from rammer_ir.runtime.program_image import Binding, Event, Opcode, ProgramImage

PROGRAMS = Path(__file__).parents[1] / "programs" / "emission"
HOST = 'vdevice.device @device kind "host" veus 2 threads 1024 shared 262144 registers 0\n'

Floats = NDArray[np.float32]


def random(shape: tuple[int, ...], seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def program(name: str, device: str = HOST) -> ModuleOp:
    module = parse_module(new_context(), device + (PROGRAMS / f"{name}.mlir").read_text())
    module.verify()
    return module


def run(image: ProgramImage, inputs: dict[str, object], weights: bytes = b"") -> Floats:
    """Runs once, on memory that holds NaN until it is written. Compiled code goes to the tests' cache folder."""
    loaded = HostProgram(image, weights, cache=CompileCache(), poison=True, oversubscribe=True)
    try:
        return cast("Floats", loaded.run(inputs)["y"])
    finally:
        loaded.close()


def test_rows_with_events() -> None:
    image = encode(program("rows"))
    x = random((12, 50), 0)
    shifted = np.exp(x - x.max(axis=1, keepdims=True))
    np.testing.assert_allclose(run(image, {"x": x}), 2 * shifted / shifted.sum(axis=1, keepdims=True), rtol=1e-5)
    assert image.name == "rows"
    assert [body.name for body in image.bodies] == ["softmax_block", "double_block"]
    assert image.events == (Event("ready", 0, 3),)
    assert image.inputs == (Binding("x", (12, 50), "float32"),)
    assert image.outputs == (Binding("y", (12, 50), "float32"),)


def test_streams_of_rows() -> None:
    image = encode(program("rows"))
    softmax, double = 0, 16
    run_, wait, signal = int(Opcode.RUN), int(Opcode.WAIT), int(Opcode.SIGNAL)
    first = [
        [run_, 0, softmax, 0, 1, 1, 0, 0],
        [signal, 0, 0, 0, 0, 0, 0, 0],
        [run_, 0, softmax, 2, 1, 1, 0, 0],
        [signal, 2, 0, 0, 0, 0, 0, 0],
        [wait, 0, 1, 1, 0, 0, 0, 0],
        [run_, 1, double, 0, 2, 1, 0, 0],  # the second task waits for the same
        [wait, 1, 1, 1, 0, 0, 0, 0],
        [run_, 1, double, 2, 1, 1, 0, 0],
        [0] * 8,
    ]
    assert image.instructions[: len(first)].tolist() == first
    assert image.launches[0].streams == (0, len(first))
    assert image.descriptors[softmax : softmax + 13].tolist() == [2, 1, 0, 0, 3, 0, 0, 0, 0, 0, 256, 0, 50]
    assert image.descriptors[double : double + 13].tolist() == [2, 1, 0, 0, 0, 0, 256, 0, 4, 0, 0, 0, 100]
    assert set(image.provenance) == {softmax, double}


def test_product_through_the_ring() -> None:
    image = encode(program("product"))
    x, w = random((42, 40), 1), random((40, 32), 2)
    np.testing.assert_allclose(run(image, {"x": x}, w.tobytes()), x @ w, rtol=1e-4, atol=1e-4)
    assert image.bodies[0].service
    assert image.weights == (("w", 0),)
    assert image.weight_bytes == 40 * 32 * 4


@pytest.mark.parametrize("steps", [1, 7, 20])
def test_recurrence_of_run_time_length(steps: int) -> None:
    image = encode(program("recurrence"))
    x, start, u = random((steps, 16), 3), random((16,), 4), 0.3 * random((16, 16), 5)
    rows: list[Floats] = []
    state = start
    for row in x:
        state = np.tanh(u @ state + row)
        rows.append(state)
    y = run(image, {"x": x, "start": start}, u.tobytes())
    np.testing.assert_allclose(y, np.stack(rows), rtol=1e-4, atol=1e-5)
    assert image.scalars == ("steps",)
    assert image.inputs[0] == Binding("x", (20, 16), "float32", "steps")


def test_repeated_images_are_equal() -> None:
    first, second = encode(program("recurrence")), encode(program("recurrence"))
    assert first.bodies == second.bodies
    assert np.array_equal(first.instructions, second.instructions)
    assert np.array_equal(first.descriptors, second.descriptors)
