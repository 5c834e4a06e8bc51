"""Every instruction on CPU threads, loops on the host, and programs that break the rules."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rammer_ir.errors import DeviceError, ProgramTimeoutError, VerificationError
from rammer_ir.runtime.cache import CompileCache
from rammer_ir.runtime.host.executable import build_executable
from rammer_ir.runtime.host.program import HostProgram
from rammer_ir.runtime.interface import LoadedProgram
from rammer_ir.runtime.program_image import Binding, Event, HostLoop, Opcode, ProgramImage, Space
from rammer_ir.testing.program_images import ImageBuilder, Loop, Operand, barrier, pin, signal, wait

# values[task] = what the task is: number, iteration, parameter.
RECORD = """
extern "C" void record(rammer::Task* task) {
    int32_t* row = rammer::operand<int32_t>(task, 0) + 3 * task->index;
    row[0] = task->index;
    row[1] = task->iteration;
    row[2] = rammer::parameter(task, 0);
}
"""
# to[i] = from[i] + addend
ADD = """
extern "C" void add(rammer::Task* task) {
    const int32_t* from = rammer::operand<const int32_t>(task, 0);
    int32_t* to = rammer::operand<int32_t>(task, 1);
    const int count = rammer::parameter(task, 0), first = task->index * count;
    for (int i = first; i < first + count; ++i) to[i] = rammer::load(from + i) + rammer::parameter(task, 1);
}
"""
# y = sum over chunks of the chunk's elements, chunks of 4 through the ring; x is staged through scratch memory.
STREAMED = """
extern "C" void streamed_service(rammer::Task* task) {
    const float* weights = rammer::operand<const float>(task, 1);
    const int chunks = rammer::parameter(task, 0);
    for (int i = 0; i < chunks; ++i) {
        rammer::ring_push(task, weights + (task->index * chunks + i) * 4, rammer::parameter(task, 2));
    }
}
extern "C" void streamed(rammer::Task* task) {
    const float* x = rammer::operand<const float>(task, 0);
    float* staged = rammer::scratch<float>(task);
    for (int i = 0; i < 4; ++i) rammer::copy_async<4>(staged + i, x + i, i < 3);
    rammer::commit_copies();
    rammer::wait_copies<0>();
    rammer::barrier();
    float sum = 0.0f;
    const int chunks = rammer::parameter(task, 1), behind = rammer::parameter(task, 3);
    rammer::Ring ring(task);
    for (int chunk = 0; chunk < chunks; ++chunk) {
        const float* weights = ring.wait<float>();
        for (int i = 0; i < 4; ++i) sum += staged[i] * weights[i];
        if (chunk >= behind) ring.release();
    }
    for (int i = 0; i < behind; ++i) rammer::ring_release(task);
    ring.close();
    rammer::operand<float>(task, 2)[task->index] = sum;
}
"""
POLL = """
extern "C" void poll(rammer::Task* task) {
    rammer::operand<float>(task, 1)[0] = rammer::load_word(task, rammer::operand<rammer::Word>(task, 0));
}
"""


@pytest.fixture(scope="module")
def cache() -> CompileCache:
    return CompileCache()


def test_a_run_visits_its_tasks_and_loops_their_iterations(cache: CompileCache) -> None:
    builder = ImageBuilder("record", outputs=(Binding("rows", (5, 6, 3), "int32"),))
    body = builder.body("record", RECORD)
    rows = Operand(builder.space("rows"), 0, 6 * 3 * 4)
    run = builder.run(body, [rows], [17], first=1, count=2, step=3)
    outside = builder.run(body, [rows], [18], first=5)
    builder.launch([[Loop([run], iterations=5), outside, Loop([run], iterations=0)]])
    result = HostProgram(builder.image(), cache=cache, poison=True).run({})["rows"]
    for t in range(5):
        assert result[t, 1].tolist() == [1, t, 17]
        assert result[t, 4].tolist() == [4, t, 17]
        assert (result[t, [0, 2, 3]] == -1).all()
    assert result[0, 5].tolist() == [5, 0, 18]


def two_stage(*, signals: int, threshold: int) -> ProgramImage:
    """vEU 0 adds 1 in four tasks, a signal after each as often as `count` says; vEU 1 waits for them, and adds 10."""
    event = Event("halves", 1, 2)
    builder = ImageBuilder(
        "two_stage",
        inputs=(Binding("x", (8,), "int32"),),
        outputs=(Binding("y", (8,), "int32"),),
        scalars=("count",),
        events=(event,),
        arena_bytes=8 * 4,
    )
    add = builder.body("add", ADD)
    middle = Operand(Space.ARENA)
    produce = builder.run(add, [Operand(builder.space("x")), middle], [2, 1], count=4)
    consume = builder.run(add, [middle, Operand(builder.space("y"))], [2, 10], count=4, node="/consume")
    signalled = [signal(event, 0), *[signal(event, 1)] * signals]
    builder.launch([[produce, Loop(signalled, scalar=0)], [wait(event, threshold), consume]])
    return builder.image()


@pytest.mark.parametrize("threshold", [1, 3])
def test_a_wait_needs_each_counter_to_reach_its_threshold(threshold: int, cache: CompileCache) -> None:
    image = two_stage(signals=1, threshold=threshold)
    program = HostProgram(image, cache=cache, poison=True, oversubscribe=True)
    for _ in range(200):
        result = program.run({"x": np.arange(8, dtype=np.int32), "count": threshold})["y"]
        assert result.tolist() == [11 + i for i in range(8)]


def test_a_missing_signal_is_reported_in_time_and_the_next_run_is_right(cache: CompileCache) -> None:
    image = two_stage(signals=1, threshold=3)
    program = HostProgram(image, cache=cache, timeout_seconds=0.3, poison=True, oversubscribe=True)
    inputs = {"x": np.arange(8, dtype=np.int32)}
    for _ in range(2):
        start = time.monotonic()
        with pytest.raises(ProgramTimeoutError) as caught:
            program.run({**inputs, "count": 2})
        assert 0.25 < time.monotonic() - start < 3
        message = str(caught.value)
        assert message.startswith(
            "two_stage: event 'halves' (counter 1, element 0) did not arrive within 0.3 s: it stood at 2, 3 was wanted "
            "by vEU 1 at instruction 6, iteration 0 of launch 'launch0', at /consume"
        )
        assert "\n" not in message
        assert program.run({**inputs, "count": 3})["y"].tolist() == [11 + i for i in range(8)]


def test_a_missing_vEU_at_a_barrier_is_reported(cache: CompileCache) -> None:
    builder = ImageBuilder("lonely", barriers=2)
    builder.launch([[barrier(0, 2), barrier(1, 2)], [barrier(0, 2)]])
    program = HostProgram(builder.image(), cache=cache, timeout_seconds=0.2, oversubscribe=True)
    with pytest.raises(ProgramTimeoutError, match=r"barrier 1 did not arrive .* stood at 1, 2 was wanted by vEU 0"):
        program.run({})


def test_a_word_that_nobody_stores_is_reported(cache: CompileCache) -> None:
    builder = ImageBuilder("wordless", outputs=(Binding("y", (1,), "float32"),), arena_bytes=8)
    poll = builder.body("poll", POLL)
    builder.launch([[builder.run(poll, [Operand(Space.ARENA), Operand(builder.space("y"))], node="/poll")]])
    program = HostProgram(builder.image(), cache=cache, timeout_seconds=0.2)
    with pytest.raises(ProgramTimeoutError, match=r"a word did not arrive .* by vEU 0 at instruction 0, .* at /poll"):
        program.run({})


def test_thresholds_grow_with_the_iteration(cache: CompileCache, tmp_path: Path) -> None:
    """A pipeline of two vEUs over a double buffer: the reader follows the writer, the writer stays one step ahead."""
    steps, written, read = 50, Event("written", 0, 1), Event("read", 1, 1)
    builder = ImageBuilder(
        "pipeline",
        inputs=(Binding("x", (steps, 4), "int32"),),
        outputs=(Binding("y", (steps, 4), "int32"),),
        events=(written, read),
        arena_bytes=16,
    )
    add = builder.body("add", ADD)
    row = Operand(Space.ARENA)
    write = builder.run(add, [Operand(builder.space("x"), 0, 16), row], [4, 1])
    take = builder.run(add, [row, Operand(builder.space("y"), 0, 16)], [4, 1])
    builder.launch(
        [
            [Loop([wait(read, 0, number=1, per_iteration=1), write, signal(written)], iterations=steps)],
            [Loop([wait(written, 1, per_iteration=1), take, signal(read)], iterations=steps)],
        ]
    )
    x = np.arange(steps * 4, dtype=np.int32).reshape(steps, 4)
    program = HostProgram(builder.image(), cache=cache, poison=True, oversubscribe=True)
    for _ in range(20):
        assert (program.run({"x": x})["y"] == x + 2).all()
    executable = build_executable(builder.image(), {"x": x}, folder=tmp_path, cache=cache)
    assert (executable.run(runs=3)["y"] == x + 2).all()


def test_thread_sanitizer_finds_a_missing_wait(cache: CompileCache, tmp_path: Path) -> None:
    image = two_stage(signals=1, threshold=1)
    without = np.delete(image.instructions, np.flatnonzero(image.instructions[:, 0] == Opcode.WAIT), axis=0)
    inputs = {"x": np.zeros(8, np.int32), "count": 1}
    executable = build_executable(replace(image, instructions=without), inputs, folder=tmp_path, cache=cache)
    with pytest.raises(DeviceError, match="data race"):
        executable.run(runs=50)


def test_pinned_weights_are_this_vEUs_own(cache: CompileCache) -> None:
    builder = ImageBuilder("pins", outputs=(Binding("y", (2, 8), "int32"),), weight_bytes=2 * 32)
    add = builder.body("add", ADD)
    streams: list[list[tuple[int, ...]]] = []
    for veu in range(2):
        result = Operand(builder.space("y"), 32 * veu)
        halves = [pin(Space.WEIGHTS, 16, shared_offset=16 * i, offset=32 * veu + 16 * i) for i in range(2)]
        streams.append([*halves, builder.run(add, [Operand(Space.PINNED), result], [8, 0])])
    builder.launch(streams, pinned_bytes=32)
    weights = np.arange(16, dtype=np.int32)
    program = HostProgram(builder.image(), weights.tobytes(), cache=cache, poison=True, oversubscribe=True)
    assert program.run({})["y"].ravel().tolist() == weights.tolist()


def streamed(*, pushed: int = 3, taken: int = 3, chunk_bytes: int = 16, behind: int = 1) -> ProgramImage:
    """Six tasks on two vEUs; each takes three chunks, and releases each when `behind` later ones were taken."""
    builder = ImageBuilder(
        "streamed",
        inputs=(Binding("x", (3,), "float32"),),
        outputs=(Binding("y", (6,), "float32"),),
        weight_bytes=6 * 3 * 16,
    )
    body = builder.body("streamed", STREAMED, service=True)
    operands = [Operand(builder.space("x")), Operand(Space.WEIGHTS), Operand(builder.space("y"))]
    run = builder.run(body, operands, [pushed, taken, chunk_bytes, behind], count=3, step=2)
    shape = {"scratch_bytes": 16, "ring_slots": 2, "ring_slot_bytes": 16, "service_threads": 32}
    builder.launch([[run], [(*run[:3], 1, 3, 2)]], **shape)
    return builder.image()


def test_the_ring_hands_out_weights_in_order(cache: CompileCache) -> None:
    weights = np.arange(6 * 3 * 4, dtype=np.float32).reshape(6, 3, 4)
    program = HostProgram(streamed(), weights.tobytes(), cache=cache, poison=True, oversubscribe=True)
    x = np.array([1, 10, 100], np.float32)
    for _ in range(20):
        np.testing.assert_array_equal(program.run({"x": x})["y"], (weights[:, :, :3] @ x).sum(axis=1))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (streamed(taken=4), "'streamed' takes or releases 4 chunks of weights for a task, .* pushes 3"),
        (streamed(taken=2), "'streamed' takes or releases 2 chunks of weights for a task, .* pushes 3"),
        (streamed(behind=2), "'streamed' holds 3 chunks of weights at once, the ring has 2 slots"),
        (streamed(chunk_bytes=32), "pushes a chunk of 32 bytes into a ring with slots of 16 bytes"),
    ],
)
def test_breaking_the_rules_of_the_ring_is_reported(image: ProgramImage, message: str, cache: CompileCache) -> None:
    program = HostProgram(image, bytes(image.weight_bytes), cache=cache, oversubscribe=True)
    with pytest.raises(VerificationError, match=message):
        program.run({"x": np.zeros(3, np.float32)})


def host_loop(*, scalar: str | None) -> ProgramImage:
    """x to arena; then `length` times, two launches add 1 and 2 in place; then arena to y, beside who recorded what."""
    builder = ImageBuilder(
        "host_loop",
        inputs=(Binding("x", (4,), "int32"),),
        outputs=(Binding("y", (4,), "int32"), Binding("rows", (9, 3), "int32")),
        scalars=("length",),
        arena_bytes=16,
        host_loops=(HostLoop(1, 2, 3, scalar),),
    )
    add, record = builder.body("add", ADD), builder.body("record", RECORD)
    arena = Operand(Space.ARENA)
    builder.launch([[builder.run(add, [Operand(builder.space("x")), arena], [4, 0])]])
    builder.launch([[builder.run(add, [arena, arena], [4, 1])]])
    rows = Operand(builder.space("rows"), 0, 12)
    builder.launch([[builder.run(add, [arena, arena], [2, 2])], [builder.run(record, [rows], [5])]])
    builder.launch([[builder.run(add, [arena, Operand(builder.space("y"))], [4, 0])]])
    return builder.image()


@pytest.mark.parametrize("length", [0, 1, 9])
def test_host_loops_repeat_launches(length: int, cache: CompileCache) -> None:
    program = HostProgram(host_loop(scalar="length"), cache=cache, poison=True, oversubscribe=True)
    outputs = program.run({"x": np.arange(4, dtype=np.int32), "length": length})
    assert outputs["y"].tolist() == [3 * length, 1 + 3 * length, 2 + length, 3 + length]
    assert outputs["rows"].tolist() == [[0, t, 5] if t < length else [-1] * 3 for t in range(9)]


def test_host_loops_of_fixed_length(cache: CompileCache) -> None:
    program: LoadedProgram = HostProgram(host_loop(scalar=None), cache=cache, oversubscribe=True)
    measured = program.measure({"x": np.zeros(4, np.int32), "length": 0}, runs=5, warmup=1)
    assert program.run({"x": np.zeros(4, np.int32), "length": 0})["y"].tolist() == [9, 9, 3, 3]
    assert measured.clock == "wall"
    assert len(measured.seconds) == 5
    assert 0 < measured.best <= measured.median


def test_a_closed_program_says_so(cache: CompileCache) -> None:
    program = HostProgram(host_loop(scalar=None), cache=cache, oversubscribe=True)
    program.close()
    program.close()
    with pytest.raises(DeviceError, match="closed"):
        program.run({"x": np.zeros(4, np.int32), "length": 0})
