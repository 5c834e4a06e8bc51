"""
How long the proof of a launch takes: `python benchmarks/verify_speed.py [result.md]`.

Waves of tasks, each of which reads what three tasks of the wave before wrote, on 132 vEUs: with a barrier after each
wave, and with a counter for every sixteen tasks, three of which a task waits for. Time is processor time of one core,
the best of three.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rammer_ir.files import write_text_aside
from rammer_ir.scheduling.boxes import Boxes
from rammer_ir.scheduling.counters import SignalTable, find_deadlock
from rammer_ir.scheduling.happens_before import order_tasks
from rammer_ir.scheduling.races import Memory, find_race
from rammer_ir.scheduling.schedule import Access, Barrier, Schedule, TaskRun, Waits

VEUS = 132
TASKS_A_WAVE = 1000
GROUP = 16
CELL = 64
REPEATS = 3


def waves(count: int, *, with_events: bool) -> tuple[Schedule, list[Memory]]:
    """`count` waves and their memories."""
    steps: list[TaskRun | Barrier] = []
    numbers = np.arange(TASKS_A_WAVE)
    groups = -(-TASKS_A_WAVE // GROUP)
    sizes = np.bincount(numbers // GROUP)
    shape = [TASKS_A_WAVE * CELL]
    cells = (numbers * CELL)[:, None]
    reads, writes = Boxes.clipped(cells - CELL, [3 * CELL], shape), Boxes.clipped(cells, [CELL], shape)
    for wave in range(count):
        accesses = (Access(wave, reads, write=False), Access(wave + 1, writes, write=True))
        waits: list[Waits] = []
        for shift in (-1, 0, 1) if with_events and wave else ():
            counter = np.clip(numbers // GROUP + shift, 0, groups - 1)
            waits.append(Waits((wave - 1) * groups + counter, np.ones_like(counter), sizes[counter]))
        signals = (wave * groups + numbers // GROUP,) if with_events else ()
        steps.append(TaskRun((numbers + 37 * wave) % VEUS, accesses, tuple(waits), signals))
        if not with_events:
            steps.append(Barrier(0, VEUS))
    memories = [Memory(tuple(shape), 4, number * shape[0] * 4) for number in range(count + 1)]
    return Schedule(VEUS, count * groups if with_events else 0, tuple(steps)), memories


def measure(schedule: Schedule, memories: Sequence[Memory]) -> tuple[float, float, float]:
    """Seconds for deadlock, happens-before and races; the best of each."""
    best = [float("inf")] * 3
    for _ in range(REPEATS):
        times = [time.process_time()]
        table = SignalTable.of(schedule)
        deadlock = find_deadlock(schedule, table)
        times.append(time.process_time())
        ordering, reuse = order_tasks(schedule, table)
        times.append(time.process_time())
        race = find_race(schedule, ordering, memories)
        times.append(time.process_time())
        if deadlock is not None or reuse is not None or race is not None:
            raise AssertionError("the schedule is safe")
        best = [min(a, b) for a, b in zip(best, np.diff(times).tolist(), strict=True)]
    return best[0], best[1], best[2]


def rows() -> Iterator[str]:
    """The table, line by line."""
    yield "| tasks | vEUs | synchronised by | deadlock, s | happens-before, s | races, s | total, s |"
    yield "|---|---|---|---|---|---|---|"
    for count in (10, 100, 1000):
        for with_events in (False, True):
            schedule, memories = waves(count, with_events=with_events)
            seconds = measure(schedule, memories)
            columns = " | ".join(f"{value:.3f}" for value in (*seconds, sum(seconds)))
            kind = "three counters a task" if with_events else "a barrier a wave"
            yield f"| {schedule.tasks:,} | {VEUS} | {kind} | {columns} |"


def processor() -> str:
    """What this machine calls its processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else os.uname().machine


def main() -> None:
    lines = [
        "# Speed of the proof",
        "",
        "Processor time of the parts of `verify-program` that look at every task, on schedules as arrays, measured by",
        f"`benchmarks/verify_speed.py` on one core of: {processor()}, NumPy {np.__version__}.",
        "",
    ]
    for row in rows():
        lines.append(row)
        print(row, flush=True)
    if len(sys.argv) > 1:
        with write_text_aside(sys.argv[1]) as file:
            file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
