"""The rule for words, whose value is its own flag: written once a launch, and read after that in text order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rammer_ir.scheduling.boxes import Integers, concatenate, covered_volumes, overlapping_pairs
from rammer_ir.scheduling.schedule import Access, Schedule


@dataclass(frozen=True)
class WrittenTwice:
    """Two tasks, by number, that write the same word of a memory in one launch."""

    memory: int
    first: int
    second: int


@dataclass(frozen=True)
class NeverWritten:
    """A task, by number, that would wait for ever: nothing before it in text order writes `missing` words it reads."""

    memory: int
    task: int
    missing: int


WordsFault = WrittenTwice | NeverWritten


def find_words_fault(schedule: Schedule, memories: Sequence[int]) -> WordsFault | None:
    """The first breach of the rule in the given memories, which hold words."""
    for memory in memories:
        fault = _find_written_twice(schedule, memory) or _find_never_written(schedule, memory)
        if fault is not None:
            return fault
    return None


def _accesses(schedule: Schedule, memory: int, *, write: bool) -> Iterator[tuple[Access, Integers]]:
    """The accesses to a memory, with the numbers of the tasks."""
    for number, run in schedule.runs():
        tasks = schedule.first_tasks[number] + np.arange(len(run))
        for access in run.accesses:
            if access.memory == memory and access.write == write:
                yield access, tasks


def _find_written_twice(schedule: Schedule, memory: int) -> WrittenTwice | None:
    writes = list(_accesses(schedule, memory, write=True))
    if not writes:
        return None
    boxes = concatenate([access.boxes for access, _ in writes])
    tasks = np.concatenate([numbers for _, numbers in writes])
    loops = np.concatenate([np.full(len(numbers), access.loop) for access, numbers in writes])
    beyond = np.concatenate([np.full(len(numbers), access.beyond) for access, numbers in writes])
    for i, j in overlapping_pairs(boxes, boxes):
        twice = (i < j) & (~beyond[i] | (loops[j] < 0)) & (~beyond[j] | (loops[i] < 0))
        if twice.any():
            k = int(np.argmax(twice))
            first, second = sorted((int(tasks[i[k]]), int(tasks[j[k]])))
            return WrittenTwice(memory, first, second)
    return None


def _find_never_written(schedule: Schedule, memory: int) -> NeverWritten | None:
    writes = [(access, tasks) for access, tasks in _accesses(schedule, memory, write=True) if not access.beyond]
    for access, tasks in _accesses(schedule, memory, write=False):
        if access.beyond:
            continue
        written = np.zeros(len(tasks), np.int64)
        if writes:
            given = concatenate([write.boxes for write, _ in writes])
            times = np.concatenate([numbers for _, numbers in writes])
            written = covered_volumes(access.boxes, given, tasks, times)
        missing = access.boxes.volumes() - written
        if missing.any():
            k = int(np.argmax(missing != 0))
            return NeverWritten(memory, int(tasks[k]), int(missing[k]))
    return None
