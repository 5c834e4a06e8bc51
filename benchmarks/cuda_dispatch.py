"""What the CUDA dispatcher itself costs: a launch, a task, a barrier, a hand-over. Device time, warm."""

from collections.abc import Callable

from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.program import CudaProgram
from rammer_ir.runtime.program_image import Binding, Event, Space
from rammer_ir.testing.program_images import ImageBuilder, Loop, Operand, Stream, Words, barrier, signal, wait

REPEATS = 2000

EMPTY = """
extern "C" __device__ void empty(rammer::Task* task) {}
"""
# Every thread stores a word and reads one that the other vEU stored.
EXCHANGE = """
extern "C" __device__ void exchange(rammer::Task* task) {
  rammer::Word* words = rammer::operand<rammer::Word>(task, 0);
  const int threads = RAMMER_THREADS, self = task->index;
  rammer::store_word(task, words + self * threads + rammer::thread(), 1.0f);
  rammer::load_word(task, words + (1 - self) * threads + rammer::thread());
}
"""


def program(name: str, streams: Callable[[ImageBuilder, Words], list[Stream]], service_threads: int) -> ImageBuilder:
    events = (Event("forth", 0, 1), Event("back", 1, 1))
    outputs = (Binding("y", (256,), "float32"),)
    arena_bytes = 16 * 256 * REPEATS
    builder = ImageBuilder(name, outputs=outputs, events=events, barriers=1, arena_bytes=arena_bytes)
    body = builder.body("empty", EMPTY)
    run = builder.run(body, [Operand(builder.space("y"))])
    builder.launch(streams(builder, run), threads=256, service_threads=service_threads, registers=168)
    return builder


def nothing(_: ImageBuilder, __: Words) -> list[Stream]:
    return [[] for _ in range(132)]


def tasks_of_one_run(_: ImageBuilder, run: Words) -> list[Stream]:
    return [[(*run[:3], 0, REPEATS, 1)] for _ in range(132)]


def tasks_of_a_loop(_: ImageBuilder, run: Words) -> list[Stream]:
    return [[Loop([run], REPEATS)] for _ in range(132)]


def barriers(_: ImageBuilder, run: Words) -> list[Stream]:
    return [[Loop([barrier(0, 132)], REPEATS)] for _ in range(132)]


def tasks_and_barriers(_: ImageBuilder, run: Words) -> list[Stream]:
    return [[Loop([run, barrier(0, 132)], REPEATS)] for _ in range(132)]


def handovers(builder: ImageBuilder, _: Words) -> list[Stream]:
    forth, back = builder.events
    first: Stream = [Loop([signal(forth), wait(back, 1, number=1, per_iteration=1)], REPEATS)]
    second: Stream = [Loop([wait(forth, 1, per_iteration=1), signal(back)], REPEATS)]
    return [first, second]


def words(builder: ImageBuilder, _: Words) -> list[Stream]:
    body = builder.body("exchange", EXCHANGE)
    run = builder.run(body, [Operand(Space.ARENA, 0, 16 * 256)])
    return [[Loop([(*run[:3], veu, 1, 1)], REPEATS)] for veu in range(2)]


def main() -> None:
    device = Device()
    print(f"{device.properties.name}, 256 compute threads, us each (device time, warm, median of 20)")
    for streams in (nothing, tasks_of_one_run, tasks_of_a_loop, barriers, tasks_and_barriers, handovers, words):
        for service_threads in (0, 64):
            builder = program(streams.__name__, streams, service_threads)
            loaded = CudaProgram(builder.image(), device=device)
            times = loaded.measure({}, runs=20, warmup=3, clock="device")
            loaded.close()
            items = 1 if streams is nothing else 2 * REPEATS if streams is handovers else REPEATS
            per_item = times.median / items
            print(f"{streams.__name__:20s} service threads {service_threads:3d}: {per_item * 1e6:6.3f}", flush=True)


if __name__ == "__main__":
    main()
