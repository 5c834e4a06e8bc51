"""Signals and waits of a launch: who signals which counter, and which signals a wait needs."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rammer_ir.scheduling.boxes import Integers
from rammer_ir.scheduling.schedule import Schedule, TaskRun


@dataclass(frozen=True)
class Requirements:
    """What the tasks of one run wait for, in the order of tasks: task `owners[k]` needs `thresholds[k] > 0` signals."""

    owners: Integers
    counters: Integers
    thresholds: Integers

    def __len__(self) -> int:
        return len(self.owners)


def requirements(run: TaskRun) -> Requirements:
    """The waits of a run, one entry a counter; waits for nothing (threshold 0 or less) are left out."""
    parts: list[tuple[Integers, Integers, Integers]] = []
    for waits in run.waits:
        owners = np.repeat(np.arange(len(run)), waits.counts)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(waits.counts) - waits.counts, waits.counts)
        parts.append((owners, waits.first[owners] + within, waits.thresholds[owners]))
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Requirements(nothing, nothing, nothing)
    owners, counters, thresholds = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    kept = np.flatnonzero(thresholds > 0)
    kept = kept[np.argsort(owners[kept], kind="stable")]
    return Requirements(owners[kept], counters[kept], thresholds[kept])


@dataclass(frozen=True)
class SignalTable:
    """
    All signals of a launch, sorted by counter, then by text order.

    Those of counter `c` have the places `starts[c]` to `starts[c + 1]`; `tasks` are the numbers of the tasks that
    signal. `places[step]` holds, for each signal list of a run, the places of its tasks' signals.
    """

    starts: Integers
    tasks: Integers
    places: dict[int, tuple[Integers, ...]]

    @classmethod
    def of(cls, schedule: Schedule) -> "SignalTable":
        counters: list[Integers] = []
        tasks: list[Integers] = []
        for number, run in schedule.runs():
            for signals in run.signals:
                counters.append(signals)
                tasks.append(schedule.first_tasks[number] + np.arange(len(run)))
        all_counters = np.concatenate([np.zeros(0, np.int64), *counters])
        all_tasks = np.concatenate([np.zeros(0, np.int64), *tasks])
        order = np.lexsort((all_tasks, all_counters))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        starts = np.concatenate([[0], np.cumsum(np.bincount(all_counters, minlength=schedule.counters))])
        return cls(starts.astype(np.int64), all_tasks[order], _split_by_run(schedule, place))

    @cached_property
    def totals(self) -> Integers:
        """How often each counter is signalled."""
        return np.diff(self.starts)

    def places_of(self, needs: Requirements) -> Integers:
        """The place of the last signal that each requirement needs; they must be met by what there is."""
        return self.starts[needs.counters] + needs.thresholds - 1


def _split_by_run(schedule: Schedule, place: Integers) -> dict[int, tuple[Integers, ...]]:
    places: dict[int, tuple[Integers, ...]] = {}
    begin = 0
    for number, run in schedule.runs():
        end = begin + len(run.signals) * len(run)
        places[number] = tuple(place[begin:end].reshape(len(run.signals), len(run)))
        begin = end
    return places


@dataclass(frozen=True)
class Deadlock:
    """A wait that what stands before it in text order does not satisfy: `signals` of `threshold` come earlier."""

    step: int
    task: int
    counter: int
    threshold: int
    signals: int
    total: int


def find_deadlock(schedule: Schedule, table: SignalTable) -> Deadlock | None:
    """The first wait that earlier text does not satisfy; if there is none, the launch cannot deadlock."""
    for number, run in schedule.runs():
        needs = requirements(run)
        enough = needs.thresholds <= table.totals[needs.counters]
        place = np.where(enough, table.places_of(needs), 0)
        owners = schedule.first_tasks[number] + needs.owners
        if len(table.tasks):
            enough &= table.tasks[place] < owners
        missing = np.flatnonzero(~enough)
        if len(missing):
            k = int(missing[0])
            counter = int(needs.counters[k])
            of_counter = table.tasks[int(table.starts[counter]) : int(table.starts[counter + 1])]
            earlier = int(np.searchsorted(of_counter, int(owners[k])))
            owner, threshold = int(needs.owners[k]), int(needs.thresholds[k])
            return Deadlock(number, owner, counter, threshold, earlier, len(of_counter))
    return None
