"""Whole programs on CPU threads, with and without ThreadSanitizer: a network with barriers, a recurrence with words."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rammer_ir.errors import DeviceError
from rammer_ir.runtime.cache import CompileCache
from rammer_ir.runtime.host.executable import build_executable
from rammer_ir.runtime.host.program import HostProgram
from rammer_ir.runtime.program_image import Binding, Opcode, ProgramImage, Space
from rammer_ir.testing.program_images import ImageBuilder, Loop, Operand, Stream, barrier, pin

DENSE = """
// y[m, n] = max(0, sum over k of x[m, k] w[k, n]) for the task's n.
extern "C" void dense(rammer::Task* task) {
    const float* RAMMER_RESTRICT x = rammer::operand<const float>(task, 0);
    const float* RAMMER_RESTRICT w = RAMMER_ALIGNED(rammer::operand<const float>(task, 1), 64);
    float* RAMMER_RESTRICT y = rammer::operand<float>(task, 2);
    const int rows = rammer::parameter(task, 0), depth = rammer::parameter(task, 1);
    const int columns = rammer::parameter(task, 2), block = rammer::parameter(task, 3);
    float* RAMMER_RESTRICT sums = rammer::scratch<float>(task);
    const int first = task->index * block;
    for (int m = 0; m < rows; ++m) {
        for (int n = 0; n < block; ++n) sums[n] = 0.0f;
        for (int k = 0; k < depth; ++k) {
            const float value = rammer::load(x + m * depth + k);
            for (int n = 0; n < block; ++n) sums[n] += value * rammer::load_weight(w + k * columns + first + n);
        }
        rammer::barrier();
        for (int n = 0; n < block; ++n) y[m * columns + first + n] = fmaxf(sums[n], 0.0f);
    }
}
"""

CELL = """
// h[t + 1, j] = tanh(sum over i of u[j, i] x[t, i] + v[j, i] h[t, i]) for the task's j; y[t, j] is the same, plain.
// The layer's input is plain in the first layer, and words in the next.
static float input(rammer::Task* task, int words, int i) {
    if (words) return rammer::load_word(task, rammer::operand<const rammer::Word>(task, 0) + i);
    return rammer::load(rammer::operand<const float>(task, 0) + i);
}
extern "C" void cell(rammer::Task* task) {
    rammer::Word* before = rammer::operand<rammer::Word>(task, 1);
    rammer::Word* after = rammer::operand<rammer::Word>(task, 2);
    const float* u = rammer::pinned<const float>(task, 3);
    float* y = rammer::operand<float>(task, 4);
    const int units = rammer::parameter(task, 0), part = rammer::parameter(task, 1), words = rammer::parameter(task, 2);
    for (int j = 0; j < part; ++j) {
        float sum = 0.0f;
        for (int i = 0; i < units; ++i) sum += u[j * 2 * units + i] * input(task, words, i);
        for (int i = 0; i < units; ++i) sum += u[j * 2 * units + units + i] * rammer::load_word(task, before + i);
        const float value = tanhf(sum);
        rammer::store_word(task, after + task->index * part + j, value);
        y[task->index * part + j] = value;
    }
}
"""

BEGIN = """
extern "C" void begin(rammer::Task* task) {
    rammer::Word* row = rammer::operand<rammer::Word>(task, 0);
    for (int i = 0; i < rammer::parameter(task, 0); ++i) rammer::store_word(task, row + i, 0.0f);
}
"""

SIZES = (24, 64, 32, 16)
ROWS = 5
BLOCK = 8
UNITS = 16
STEPS = 12


@pytest.fixture(scope="module")
def cache() -> CompileCache:
    return CompileCache()


def random(shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)


def network_weights() -> list[NDArray[np.float32]]:
    return [random(shape, seed) for seed, shape in enumerate(pairwise(SIZES))]


def network(veus: int, *, drop_barrier: int = -1) -> ProgramImage:
    """Dense layers, a barrier after each, the columns of each layer dealt out to the vEUs."""
    builder = ImageBuilder(
        "network",
        inputs=(Binding("x", (ROWS, SIZES[0]), "float32"),),
        outputs=(Binding("y", (ROWS, SIZES[-1]), "float32"),),
        barriers=1,
        arena_bytes=4 * ROWS * sum(SIZES),
        weight_bytes=4 * sum(a * b for a, b in pairwise(SIZES)),
    )
    dense = builder.body("dense", DENSE)
    streams: list[list[tuple[int, ...] | Loop]] = [[] for _ in range(veus)]
    source, weight_offset, arena_offset = Operand(builder.space("x")), 0, 0
    for layer, (depth, columns) in enumerate(pairwise(SIZES)):
        last = layer == len(SIZES) - 2
        result = Operand(builder.space("y")) if last else Operand(Space.ARENA, arena_offset)
        operands = [source, Operand(Space.WEIGHTS, weight_offset), result]
        run = builder.run(dense, operands, [ROWS, depth, columns, BLOCK], node=f"/dense{layer}")
        for veu, stream in enumerate(streams):
            count = len(range(veu, columns // BLOCK, veus))
            stream.append((*run[:3], veu, count, veus))
            if not last and layer != drop_barrier:
                stream.append(barrier(0, veus))
        source, weight_offset = result, weight_offset + 4 * depth * columns
        arena_offset += 4 * ROWS * columns
    builder.launch(streams, scratch_bytes=4 * BLOCK)
    return builder.image()


def network_reference(x: NDArray[np.float32]) -> NDArray[np.float32]:
    for weight in network_weights():
        x = np.maximum(x @ weight, 0)
    return x


def network_bytes() -> bytes:
    return b"".join(weight.tobytes() for weight in network_weights())


def recurrence_weights() -> NDArray[np.float32]:
    """[layer, unit, 2 x UNITS]: of the layer's input, then of its state."""
    return random((2, UNITS, 2 * UNITS), 7)


def recurrence(parts: int) -> ProgramImage:
    """Two layers of `parts` vEUs each, weights pinned; steps pass by words, as many as the input is long."""
    row, plain_row, part = 8 * UNITS, 4 * UNITS, UNITS // parts
    part_bytes = 4 * part * 2 * UNITS
    builder = ImageBuilder(
        "recurrence",
        inputs=(Binding("x", (STEPS, UNITS), "float32", "length"),),
        outputs=tuple(Binding(f"h{layer}", (STEPS, UNITS), "float32", "length") for layer in range(2)),
        scalars=("length",),
        arena_bytes=2 * row * (STEPS + 1),
        weight_bytes=4 * 2 * UNITS * 2 * UNITS,
    )
    cell, begin = builder.body("cell", CELL), builder.body("begin", BEGIN)
    streams: list[Stream] = []
    for layer in range(2):
        words = layer * row * (STEPS + 1)
        source = Operand(Space.ARENA, row, row) if layer else Operand(builder.space("x"), 0, plain_row)
        state = [Operand(Space.ARENA, words, row), Operand(Space.ARENA, words + row, row)]
        operands = [source, *state, Operand(Space.PINNED), Operand(builder.space(f"h{layer}"), 0, plain_row)]
        run = builder.run(cell, operands, [UNITS, part, layer])
        for index in range(parts):
            start = builder.run(begin, [Operand(Space.ARENA, words)], [UNITS])
            offset = (layer * parts + index) * part_bytes
            streams.append(
                [
                    pin(Space.WEIGHTS, part_bytes, offset=offset),
                    *([start] if index == 0 else []),
                    Loop([(*run[:3], index, 1, 1)], scalar=0),
                ]
            )
    builder.launch(streams, pinned_bytes=part_bytes)
    return builder.image()


def recurrence_reference(x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    layers: list[NDArray[np.float32]] = []
    for weight in recurrence_weights():
        state, rows = np.zeros(UNITS, np.float32), list[NDArray[np.float32]]()
        for row in x:
            state = np.tanh(weight @ np.concatenate([row, state]))
            rows.append(state)
        x = np.array(rows, np.float32).reshape(-1, UNITS)
        layers.append(x)
    return layers


@pytest.mark.parametrize("veus", [1, 2, 4])
def test_network_with_barriers(veus: int, cache: CompileCache) -> None:
    program = HostProgram(network(veus), network_bytes(), cache=cache, poison=True, oversubscribe=True)
    for seed in range(20):
        x = random((ROWS, SIZES[0]), seed)
        np.testing.assert_allclose(program.run({"x": x})["y"], network_reference(x), rtol=1e-5, atol=1e-6)
    program.close()


@pytest.mark.parametrize("parts", [1, 2])
def test_recurrence_with_words_of_run_time_length(parts: int, cache: CompileCache) -> None:
    program = HostProgram(
        recurrence(parts), recurrence_weights().view(np.uint8), cache=cache, poison=True, oversubscribe=True
    )
    for length in (STEPS, 3, 0, 1, STEPS):
        x = random((length, UNITS), length)
        outputs = program.run({"x": x})
        for layer, expected in enumerate(recurrence_reference(x)):
            assert outputs[f"h{layer}"].shape == (length, UNITS)
            np.testing.assert_allclose(outputs[f"h{layer}"], expected, rtol=1e-5, atol=1e-6)
    program.close()


def test_runs_are_bit_equal(cache: CompileCache) -> None:
    program = HostProgram(recurrence(1), recurrence_weights().view(np.uint8), cache=cache, oversubscribe=True)
    inputs = {"x": random((STEPS, UNITS), 0)}
    first = program.run(inputs)["h1"].tobytes()
    assert all(program.run(inputs)["h1"].tobytes() == first for _ in range(2000))


def test_thread_sanitizer_is_silent_on_the_network(cache: CompileCache, tmp_path: Path) -> None:
    x = random((ROWS, SIZES[0]), 3)
    executable = build_executable(network(2), {"x": x}, network_bytes(), folder=tmp_path, cache=cache)
    np.testing.assert_allclose(executable.run(runs=20)["y"], network_reference(x), rtol=1e-5, atol=1e-6)


def test_thread_sanitizer_is_silent_on_the_recurrence(cache: CompileCache, tmp_path: Path) -> None:
    x = random((STEPS - 2, UNITS), 3)
    weights = recurrence_weights().view(np.uint8)
    executable = build_executable(recurrence(2), {"x": x}, weights, folder=tmp_path, cache=cache)
    outputs = executable.run(runs=5)
    for layer, expected in enumerate(recurrence_reference(x)):
        np.testing.assert_allclose(outputs[f"h{layer}"], expected, rtol=1e-5, atol=1e-6)


def test_thread_sanitizer_finds_a_missing_barrier(cache: CompileCache, tmp_path: Path) -> None:
    image = network(2, drop_barrier=0)
    executable = build_executable(
        image, {"x": random((ROWS, SIZES[0]), 3)}, network_bytes(), folder=tmp_path, cache=cache
    )
    with pytest.raises(DeviceError, match="data race"):
        executable.run(runs=20)


def test_poison_shows_what_is_not_written(cache: CompileCache) -> None:
    image = network(1)
    instructions = image.instructions.copy()
    last_run = int(np.flatnonzero(instructions[:, 0] == Opcode.RUN)[-1])
    instructions[last_run, 4] -= 1
    program = HostProgram(replace(image, instructions=instructions), network_bytes(), cache=cache, poison=True)
    assert np.isnan(program.run({"x": random((ROWS, SIZES[0]), 3)})["y"]).any()


def test_more_virtual_units_than_cores_are_refused(cache: CompileCache) -> None:
    with pytest.raises(DeviceError, match=r"the program has 64 vEUs and this process may use [0-9]+ cores"):
        HostProgram(network(64), network_bytes(), cache=cache)
