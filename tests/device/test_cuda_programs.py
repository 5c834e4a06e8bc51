"""Whole programs on a GPU: every instruction, with and without a service role, run-time lengths, the weight ring."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from rammer_ir.errors import DeviceError
from rammer_ir.runtime.cuda.program import CudaProgram
from rammer_ir.runtime.program_image import Binding, Event, HostLoop, ProgramImage, Space
from rammer_ir.testing.program_images import ImageBuilder, Loop, Operand, Stream, barrier, pin, signal, wait

pytestmark = pytest.mark.device

Load = Callable[..., CudaProgram]

DENSE = """
// y[m, n] = max(0, sum over k of x[m, k] w[k, n]) for the task's block of n; a thread has one n at a time.
extern "C" __device__ void dense(rammer::Task* task) {
  const float* x = rammer::operand<const float>(task, 0);
  const float* w = rammer::operand<const float>(task, 1);
  float* y = rammer::operand<float>(task, 2);
  const int rows = rammer::parameter(task, 0), depth = rammer::parameter(task, 1);
  const int columns = rammer::parameter(task, 2), block = rammer::parameter(task, 3);
  float* staged = rammer::scratch<float>(task);
  for (int m = 0; m < rows; ++m) {
    rammer::barrier();
    for (int k = rammer::thread(); k < depth; k += RAMMER_THREADS) staged[k] = rammer::load(x + m * depth + k);
    rammer::barrier();
    for (int i = rammer::thread(); i < block; i += RAMMER_THREADS) {
      const int n = task->index * block + i;
      float sum = 0.0f;
      for (int k = 0; k < depth; ++k) sum += staged[k] * rammer::load_weight(w + k * columns + n);
      y[m * columns + n] = fmaxf(sum, 0.0f);
    }
  }
}
"""

RECORD = """
// rows[task] = (task index, loop index, parameter).
extern "C" __device__ void record(rammer::Task* task) {
  int* row = rammer::operand<int>(task, 0) + 3 * task->index;
  if (rammer::thread() == 0) {
    row[0] = task->index;
    row[1] = task->iteration;
    row[2] = rammer::parameter(task, 0);
  }
}
"""

ADD = """
// to[i] = from[i] + addend
extern "C" __device__ void add(rammer::Task* task) {
  const int* from = rammer::operand<const int>(task, 0);
  int* to = rammer::operand<int>(task, 1);
  const int count = rammer::parameter(task, 0), first = task->index * count;
  for (int i = first + rammer::thread(); i < first + count; i += RAMMER_THREADS) {
    to[i] = rammer::load(from + i) + rammer::parameter(task, 1);
  }
}
"""

CELL = """
// h[t + 1, j] = tanh(sum over i of u[j, i] x[t, i] + v[j, i] h[t, i]) for the task's j, one warp each; y[t, j] too.
extern "C" __device__ void cell(rammer::Task* task) {
  const int units = rammer::parameter(task, 0), part = rammer::parameter(task, 1), words = rammer::parameter(task, 2);
  const rammer::Word* before = rammer::operand<rammer::Word>(task, 1);
  rammer::Word* after = rammer::operand<rammer::Word>(task, 2);
  const float* u = rammer::pinned<const float>(task, 3);
  float* y = rammer::operand<float>(task, 4);
  float* state = rammer::scratch<float>(task);
  for (int i = rammer::thread(); i < 2 * units; i += RAMMER_THREADS) {
    if (i >= units) {
      state[i] = rammer::load_word(task, before + i - units);
    } else if (words) {
      state[i] = rammer::load_word(task, rammer::operand<rammer::Word>(task, 0) + i);
    } else {
      state[i] = rammer::load(rammer::operand<float>(task, 0) + i);
    }
  }
  rammer::barrier();
  for (int j = rammer::thread() / 32; j < part; j += RAMMER_THREADS / 32) {
    float sum = 0.0f;
    for (int i = rammer::lane(); i < 2 * units; i += 32) sum += u[j * 2 * units + i] * state[i];
    const float value = tanhf(rammer::warp_reduce_add(sum));
    if (rammer::lane() == 0) {
      rammer::store_word(task, after + task->index * part + j, value);
      y[task->index * part + j] = value;
    }
  }
}
"""

BEGIN = """
extern "C" __device__ void begin(rammer::Task* task) {
  rammer::Word* row = rammer::operand<rammer::Word>(task, 0);
  const int units = rammer::parameter(task, 0);
  for (int i = rammer::thread(); i < units; i += RAMMER_THREADS) rammer::store_word(task, row + i, 0.0f);
}
"""

STREAMED = """
// y[task] = sum over chunks, and their elements, of x[i] w[task, chunk, i]; x is staged, of which the last is left out.
extern "C" __device__ void streamed_service(rammer::Task* task) {
  const float* weights = rammer::operand<const float>(task, 1);
  const int chunks = rammer::parameter(task, 0), size = rammer::parameter(task, 1);
  for (int i = 0; i < chunks; ++i) {
    rammer::ring_push(task, weights + (task->index * chunks + i) * size, size * 4);
  }
}
extern "C" __device__ void streamed(rammer::Task* task) {
  const float* x = rammer::operand<const float>(task, 0);
  const int chunks = rammer::parameter(task, 0), size = rammer::parameter(task, 1), held = rammer::parameter(task, 2);
  float* staged = rammer::scratch<float>(task);
  for (int i = rammer::thread(); i < size; i += RAMMER_THREADS) rammer::copy_async<4>(staged + i, x + i, i < size - 1);
  rammer::commit_copies();
  rammer::wait_copies<0>();
  rammer::barrier();
  float sum = 0.0f;
  rammer::Ring ring(task);
  for (int chunk = 0; chunk < chunks - 1; ++chunk) {
    const float* weights = ring.wait<float>();
    for (int i = rammer::thread(); i < size; i += RAMMER_THREADS) sum += staged[i] * weights[i];
    if (chunk >= held) ring.release();
  }
  ring.close();
  const float* weights = rammer::ring_wait<float>(task);
  for (int i = rammer::thread(); i < size; i += RAMMER_THREADS) sum += staged[i] * weights[i];
  for (int i = 0; i <= held && i < chunks; ++i) rammer::ring_release(task);
  rammer::barrier();
  float* sums = rammer::scratch<float>(task, size * 4);
  sums[rammer::thread()] = sum;
  rammer::barrier();
  if (rammer::thread() == 0) {
    float total = 0.0f;
    for (int i = 0; i < RAMMER_THREADS; ++i) total += sums[i];
    rammer::operand<float>(task, 2)[task->index] = total;
  }
}
"""

SIZES = (96, 512, 264, 132)
ROWS = 5
BLOCK = 4
UNITS = 64
STEPS = 40

service_roles = pytest.mark.parametrize("service_threads", [0, 64, 128])


def random(shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)


def network_weights() -> list[NDArray[np.float32]]:
    return [random(shape, seed) for seed, shape in enumerate(pairwise(SIZES))]


def network_bytes() -> bytes:
    return b"".join(weight.tobytes() for weight in network_weights())


def network(veus: int, service_threads: int, *, drop_barrier: int = -1) -> ProgramImage:
    """Dense layers, a barrier after each, the columns of each layer dealt out to the vEUs."""
    builder = ImageBuilder(
        "network",
        inputs=(Binding("x", (ROWS, SIZES[0]), "float32"),),
        outputs=(Binding("y", (ROWS, SIZES[-1]), "float32"),),
        barriers=1,
        arena_bytes=4 * ROWS * sum(SIZES),
        weight_bytes=len(network_bytes()),
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
            stream.append((*run[:3], veu, len(range(veu, columns // BLOCK, veus)), veus))
            if not last and layer != drop_barrier:
                stream.append(barrier(0, veus))
        source, weight_offset = result, weight_offset + 4 * depth * columns
        arena_offset += 4 * ROWS * columns
    builder.launch(streams, threads=64, service_threads=service_threads, scratch_bytes=4 * max(SIZES))
    return builder.image()


def network_reference(x: NDArray[np.float32]) -> NDArray[np.float64]:
    result = x.astype(np.float64)
    for weight in network_weights():
        result = np.maximum(result @ weight.astype(np.float64), 0)
    return result


@service_roles
@pytest.mark.parametrize("veus", [1, 7, 132])
def test_network_with_barriers(load: Load, veus: int, service_threads: int) -> None:
    program = load(network(veus, service_threads), network_bytes(), poison=True)
    for seed in range(10):
        x = random((ROWS, SIZES[0]), seed)
        np.testing.assert_allclose(program.run({"x": x})["y"], network_reference(x), rtol=1e-4, atol=1e-4)
    program.close()


@service_roles
def test_ten_thousand_launches_are_bit_equal(load: Load, service_threads: int) -> None:
    program = load(network(132, service_threads), network_bytes())
    inputs = {"x": random((ROWS, SIZES[0]), 0)}
    expected = program.run(inputs)["y"].tobytes()
    with program.bound(inputs) as bound:
        for _ in range(100):
            bound.poison()
            for _ in range(100):
                bound.submit()
            bound.wait()
            assert bound.outputs()["y"].tobytes() == expected
    program.close()


@service_roles
def test_a_run_visits_its_tasks_and_loops_their_iterations(load: Load, service_threads: int) -> None:
    builder = ImageBuilder(
        "record",
        outputs=(Binding("rows", (STEPS, 6, 3), "int32"),),
        scalars=("count",),
    )
    body = builder.body("record", RECORD)
    row_bytes = 6 * 3 * 4
    rows = builder.space("rows")
    fixed = Operand(rows, (STEPS - 1) * row_bytes)
    moving = Operand(rows, 0, row_bytes)
    body_of_loop = [builder.run(body, [moving], [number], first=number, count=1) for number in range(4)]
    body_of_loop.append(builder.run(body, [moving], [9], first=4, count=2))
    stream: Stream = [
        builder.run(body, [fixed], [5], first=5, count=3, step=-2),
        builder.run(body, [fixed], [6], count=0),
        Loop(body_of_loop, scalar=0),
        Loop([builder.run(body, [Operand(rows, (STEPS - 3) * row_bytes, row_bytes)], [8], count=6)], iterations=2),
        builder.run(body, [fixed], [7], first=0, count=3, step=2),
    ]
    builder.launch([stream], service_threads=service_threads)
    program = load(builder.image(), poison=True)
    for count in (0, 1, 20):
        actual = program.run({"count": count})["rows"]
        expected = np.full((STEPS, 6, 3), -1, np.int32)
        for t in range(count):
            expected[t] = [(i, t, min(i, 4) if i < 4 else 9) for i in range(6)]
        for t in range(2):
            expected[STEPS - 3 + t] = [(i, t, 8) for i in range(6)]
        expected[STEPS - 1, 5::-2] = [(5, 0, 5), (3, 0, 5), (1, 0, 5)]
        expected[STEPS - 1, ::2] = [(0, 0, 7), (2, 0, 7), (4, 0, 7)]
        np.testing.assert_array_equal(actual, expected)
    program.close()


@service_roles
def test_a_pipeline_with_events(load: Load, service_threads: int) -> None:
    """vEU v adds v + 1 to what vEU v - 1 made in the same iteration; the first reads the input."""
    veus, width = 66, 64
    events = tuple(Event(f"stage {veu}", veu, 1) for veu in range(veus))
    builder = ImageBuilder(
        "pipeline",
        inputs=(Binding("x", (STEPS, width), "int32", "length"),),
        outputs=(Binding("y", (STEPS, width), "int32", "length"),),
        scalars=("length",),
        events=events,
        arena_bytes=veus * STEPS * width * 4,
    )
    add = builder.body("add", ADD)
    row = width * 4
    places = [Operand(builder.space("x"), 0, row)]
    places += [Operand(Space.ARENA, veu * STEPS * row, row) for veu in range(veus - 1)]
    places += [Operand(builder.space("y"), 0, row)]
    streams: list[Stream] = []
    for veu in range(veus):
        run = builder.run(add, [places[veu], places[veu + 1]], [width // 2, veu + 1], count=2)
        waits = [wait(events[veu - 1], 1, number=veu - 1, per_iteration=1)] if veu else []
        streams.append([Loop([*waits, run, signal(events[veu])], scalar=0)])
    builder.launch(streams, service_threads=service_threads)
    program = load(builder.image(), poison=True)
    for length in (STEPS, 1, 0, 17, STEPS):
        x = np.random.default_rng(length).integers(0, 1000, (length, width), np.int32)
        np.testing.assert_array_equal(program.run({"x": x})["y"], x + veus * (veus + 1) // 2)
    program.close()


@service_roles
def test_a_wait_for_many_counters(load: Load, service_threads: int) -> None:
    """One vEU adds up what the others made, each of which signals a counter of its own twice."""
    veus = 132
    event = Event("parts", 0, veus - 1)
    builder = ImageBuilder(
        "gather",
        inputs=(Binding("x", (veus, 32), "int32"),),
        outputs=(Binding("y", (veus, 32), "int32"),),
        events=(event,),
        arena_bytes=veus * 128,
    )
    add = builder.body("add", ADD)
    x, y, arena = Operand(builder.space("x")), Operand(builder.space("y")), Operand(Space.ARENA)
    make, use = builder.run(add, [x, arena], [32, 1]), builder.run(add, [arena, y], [32, 1], count=veus - 1)
    streams: list[Stream] = [[wait(event, 2), use]]
    streams += [[(*make[:3], veu, 1, 1), signal(event, veu), signal(event, veu)] for veu in range(veus - 1)]
    builder.launch(streams, service_threads=service_threads)
    program = load(builder.image(), poison=True)
    for seed in range(50):
        x_value = np.random.default_rng(seed).integers(0, 1000, (veus, 32), np.int32)
        np.testing.assert_array_equal(program.run({"x": x_value})["y"][:-1], x_value[:-1] + 2)
    program.close()


def recurrence_weights() -> NDArray[np.float32]:
    """[layer, unit, 2 x UNITS]: of the layer's input, then of its state. Small, or rounding grows with the steps."""
    return random((2, UNITS, 2 * UNITS), 7) * np.float32(0.2)


def recurrence(parts: int, service_threads: int) -> ProgramImage:
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
    builder.launch(
        streams,
        threads=128,
        service_threads=service_threads,
        pinned_bytes=part_bytes,
        scratch_bytes=4 * 2 * UNITS,
    )
    return builder.image()


def recurrence_reference(x: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    layers: list[NDArray[np.float64]] = []
    values = x.astype(np.float64)
    for weight in recurrence_weights():
        state, rows = np.zeros(UNITS), list[NDArray[np.float64]]()
        for row in values:
            state = np.tanh(weight @ np.concatenate([row, state]))
            rows.append(state)
        values = np.array(rows, np.float64).reshape(-1, UNITS)
        layers.append(values)
    return layers


@service_roles
@pytest.mark.parametrize("parts", [1, 16])
def test_recurrence_with_words_of_run_time_length(load: Load, parts: int, service_threads: int) -> None:
    weights = recurrence_weights().view(np.uint8)
    program = load(recurrence(parts, service_threads), weights)
    for length in (STEPS, 3, 0, 1, STEPS):
        x = random((length, UNITS), length)
        outputs = program.run({"x": x})
        for layer, expected in enumerate(recurrence_reference(x)):
            assert outputs[f"h{layer}"].shape == (length, UNITS)
            np.testing.assert_allclose(outputs[f"h{layer}"], expected, rtol=1e-4, atol=1e-5)
    program.close()


def streamed(veus: int, chunks: int, size: int, held: int) -> ProgramImage:
    """`veus` tasks for each vEU; weights come through a ring of four slots."""
    tasks = veus * veus
    builder = ImageBuilder(
        "streamed",
        inputs=(Binding("x", (size,), "float32"),),
        outputs=(Binding("y", (tasks,), "float32"),),
        weight_bytes=4 * tasks * chunks * size,
    )
    body = builder.body("streamed", STREAMED, service=True)
    operands = [Operand(builder.space("x")), Operand(Space.WEIGHTS), Operand(builder.space("y"))]
    run = builder.run(body, operands, [chunks, size, held])
    streams: list[Stream] = [[(*run[:3], veu, veus, veus)] for veu in range(veus)]
    builder.launch(
        streams,
        threads=96,
        service_threads=128,
        ring_slots=4,
        ring_slot_bytes=4 * size,
        scratch_bytes=4 * size + 4 * 96,
    )
    return builder.image()


@pytest.mark.parametrize("held", [0, 2])
@pytest.mark.parametrize("chunks", [1, 3, 4, 13])
def test_weights_come_through_the_ring_in_order(load: Load, chunks: int, held: int) -> None:
    veus, size = 12, 512
    weights = random((veus * veus, chunks, size), 3)
    held = min(held, chunks - 1)
    program = load(streamed(veus, chunks, size, held), weights.reshape(-1).view(np.uint8))
    for seed in range(5):
        x = random((size,), seed)
        expected = (weights.astype(np.float64) @ np.where(np.arange(size) < size - 1, x, 0)).sum(1)
        np.testing.assert_allclose(program.run({"x": x})["y"], expected, rtol=1e-4, atol=1e-4)
    program.close()


def test_loops_on_the_host_pass_their_index(load: Load) -> None:
    builder = ImageBuilder(
        "host_loop",
        inputs=(Binding("x", (32,), "int32"),),
        outputs=(Binding("rows", (STEPS, 6, 3), "int32"), Binding("y", (32,), "int32")),
        scalars=("steps",),
        arena_bytes=128,
        host_loops=(HostLoop(1, 2, 0, "steps"),),
    )
    record, add = builder.body("record", RECORD), builder.body("add", ADD)
    x, y, arena = Operand(builder.space("x")), Operand(builder.space("y")), Operand(Space.ARENA)
    builder.launch([[builder.run(add, [x, arena], [32, 0])]])
    builder.launch([[builder.run(add, [arena, arena], [32, 3])]])
    rows = Operand(builder.space("rows"), 0, 6 * 3 * 4)
    builder.launch([[builder.run(record, [rows], [4], count=6)]], service_threads=64)
    builder.launch([[builder.run(add, [arena, y], [32, 100])]])
    program = load(builder.image())
    x_value = np.arange(32, dtype=np.int32)
    for steps in (0, 1, 7):
        outputs = program.run({"x": x_value, "steps": steps})
        np.testing.assert_array_equal(outputs["y"], x_value + 100 + 3 * steps)
        np.testing.assert_array_equal(outputs["rows"][:steps, :, 1], np.repeat(np.arange(steps), 6).reshape(steps, 6))
    program.close()


def test_a_captured_run_does_the_same(load: Load) -> None:
    program = load(network(132, 128), network_bytes())
    inputs = {"x": random((ROWS, SIZES[0]), 0)}
    expected = program.run(inputs)["y"].tobytes()
    with program.bound(inputs) as bound:
        graph = bound.captured()
        for _ in range(10):
            bound.poison()
            graph.submit()
            graph.submit()
            bound.wait()
            assert bound.outputs()["y"].tobytes() == expected
        graph.close()
    program.close()


def test_more_virtual_units_than_the_device_has_are_refused(load: Load) -> None:
    image = network(399, 0)
    alone = replace(image, launches=tuple(replace(launch, scratch_bytes=150_000) for launch in image.launches))
    with pytest.raises(DeviceError, match=r"launch 'launch0' has 399 vEUs, .* keeps [0-9]+ resident"):
        load(alone, network_bytes())


def test_too_much_shared_memory_is_refused(load: Load) -> None:
    image = network(1, 0)
    large = replace(image, launches=tuple(replace(launch, scratch_bytes=1 << 20) for launch in image.launches))
    with pytest.raises(DeviceError, match=r"needs [0-9]+ bytes of shared memory"):
        load(large, network_bytes())
