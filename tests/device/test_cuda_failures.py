"""Programs that break the rules end in time, say why, and leave a device that works."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rammer_ir.errors import ProgramTimeoutError, RammerError, VerificationError
from rammer_ir.runtime.cuda.program import CudaProgram
from rammer_ir.runtime.program_image import Binding, Event, Opcode, ProgramImage, Space
from rammer_ir.testing.program_images import ImageBuilder, Operand, Stream, barrier, signal, wait

pytestmark = pytest.mark.device

Load = Callable[..., CudaProgram]

TIMEOUT = 0.05

ADD = """
extern "C" __device__ void add(rammer::Task* task) {
  const int i = task->index * RAMMER_THREADS + rammer::thread();
  rammer::operand<int>(task, 1)[i] = rammer::load(rammer::operand<int>(task, 0) + i) + 1;
}
"""
POLL = """
extern "C" __device__ void poll(rammer::Task* task) {
  const float value = rammer::load_word(task, rammer::operand<rammer::Word>(task, 0) + rammer::thread());
  rammer::operand<float>(task, 1)[rammer::thread()] = value;
}
"""
GREEDY = """
extern "C" __device__ void greedy_service(rammer::Task* task) {
  for (int i = 0; i < rammer::parameter(task, 0); ++i) rammer::ring_push(task, rammer::operand<float>(task, 0), 128);
}
extern "C" __device__ void greedy(rammer::Task* task) {
  float sum = 0.0f;
  rammer::Ring ring(task);
  for (int i = 0; i < rammer::parameter(task, 1); ++i) {
    sum += ring.wait<float>()[rammer::lane()];
    ring.release();
  }
  ring.close();
  rammer::operand<float>(task, 1)[rammer::thread()] = sum;
}
"""

service_roles = pytest.mark.parametrize("service_threads", [0, 64])


def handover(veus: int, service_threads: int, *, broken: bool) -> ProgramImage:
    """All but vEU 0 wait for it; with `broken`, for more signals than there are. Then all meet."""
    event = Event("first part", 0, 1)
    builder = ImageBuilder(
        "handover",
        inputs=(Binding("x", (veus, 32), "int32"),),
        outputs=(Binding("y", (veus, 32), "int32"),),
        events=(event,),
        barriers=1,
        arena_bytes=veus * 128,
    )
    add = builder.body("add", ADD)
    x, y, arena = Operand(builder.space("x")), Operand(builder.space("y")), Operand(Space.ARENA)
    make = builder.run(add, [x, arena], count=veus, node="/make")
    use = builder.run(add, [arena, y], node="/use")
    streams: list[Stream] = [[make, signal(event), barrier(0, veus)]]
    for veu in range(1, veus):
        last = broken and veu == veus - 1
        streams.append([wait(event, 2 if last else 1), (*use[:3], veu, 1, 1), barrier(0, veus)])
    builder.launch(streams, service_threads=service_threads)
    return builder.image()


def failure(program: CudaProgram, inputs: dict[str, object], kind: type[RammerError], match: str) -> float:
    """Run and expect an error; returns the seconds that it took."""
    start = time.perf_counter()
    with pytest.raises(kind, match=match):
        program.run(inputs)
    return time.perf_counter() - start


@service_roles
def test_a_missing_signal_is_reported_and_the_program_runs_again(load: Load, service_threads: int) -> None:
    veus = 132
    x = np.arange(veus * 32, dtype=np.int32).reshape(veus, 32)
    good = handover(veus, service_threads, broken=False)
    program = load(handover(veus, service_threads, broken=True), timeout_seconds=TIMEOUT)
    for _ in range(3):
        seconds = failure(
            program,
            {"x": x},
            ProgramTimeoutError,
            r"(event 'first part' \(counter 0.*it stood at 1, 2 was wanted by vEU 131|barrier 0 did not arrive).*",
        )
        assert seconds < 1.0
    program.close()
    program = load(good, timeout_seconds=TIMEOUT)
    np.testing.assert_array_equal(program.run({"x": x})["y"][1:], x[1:] + 2)
    program.close()


@service_roles
def test_a_barrier_of_more_veus_than_there_are_is_not_loaded(load: Load, service_threads: int) -> None:
    veus = 64
    image = handover(veus, service_threads, broken=False)
    wrong = image.instructions.copy()
    wrong[wrong[:, 0] == Opcode.BARRIER, 2] = veus + 1
    with pytest.raises(VerificationError, match="more vEUs meet at a barrier than there are"):
        load(replace(image, instructions=wrong), timeout_seconds=TIMEOUT)


@service_roles
def test_a_word_that_nobody_stores_is_reported(load: Load, service_threads: int) -> None:
    builder = ImageBuilder("words", outputs=(Binding("y", (32,), "float32"),), arena_bytes=8 * 32)
    poll = builder.body("poll", POLL)
    run = builder.run(poll, [Operand(Space.ARENA), Operand(builder.space("y"))], node="/poll")
    builder.launch([[run]], service_threads=service_threads)
    program = load(builder.image(), timeout_seconds=TIMEOUT)
    assert failure(program, {}, ProgramTimeoutError, r"a word did not arrive .*at /poll") < 1.0
    program.close()


@pytest.mark.parametrize(
    ("pushed", "taken", "message"),
    [(2, 5, "'greedy' takes more chunks"), (3, 2, "pushed more chunks"), (20, 2, "pushed more chunks")],
)
def test_misuse_of_the_ring_is_reported(load: Load, pushed: int, taken: int, message: str) -> None:
    builder = ImageBuilder("ring", outputs=(Binding("y", (64,), "float32"),), weight_bytes=128)
    greedy = builder.body("greedy", GREEDY, service=True)
    run = builder.run(greedy, [Operand(Space.WEIGHTS), Operand(builder.space("y"))], [pushed, taken])
    builder.launch([[run]], threads=64, service_threads=64, ring_slots=4, ring_slot_bytes=128)
    program = load(builder.image(), bytes(128), timeout_seconds=TIMEOUT)
    for _ in range(2):
        assert failure(program, {}, VerificationError, message) < 1.0
    program.close()


SANITIZED = """
import sys
import numpy as np
import pytest
sys.exit(pytest.main([sys.argv[1], "-q", "-p", "no:cacheprovider", "-k", sys.argv[2]]))
"""


@pytest.mark.skipif(shutil.which("compute-sanitizer") is None, reason="no compute-sanitizer")
@pytest.mark.parametrize("names", ["network and 7", "ring_in_order and 13", "recurrence and 16"])
def test_memory_checker_is_silent(names: str) -> None:
    tests = Path(__file__).with_name("test_cuda_programs.py")
    command = [
        "compute-sanitizer",
        "--tool",
        "memcheck",
        "--report-api-errors",
        "no",
        "--error-exitcode",
        "99",
        sys.executable,
        "-c",
        SANITIZED,
    ]
    result = subprocess.run([*command, str(tests), names], capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-1000:]
