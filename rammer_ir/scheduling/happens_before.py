"""
Which task of a launch is surely done before which other starts: vector clocks over ranges of tasks.

A vEU's clock says how many tasks of every vEU are done before its next one starts. It changes only at waits and
barriers, so a task is a vEU, a position on it and the number of a clock. A wait for `T` signals of a counter means the
first `T` in text order: `find_early_reuse` proves that no other signal can come among the first `T`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rammer_ir.scheduling.boxes import Integers
from rammer_ir.scheduling.clocks import Clock, ClockRows, clock_dtype, maxima_of_groups, within_groups
from rammer_ir.scheduling.counters import SignalTable, requirements
from rammer_ir.scheduling.publications import EarlyReuse, Publications
from rammer_ir.scheduling.schedule import Barrier, Schedule, TaskRun


@dataclass(frozen=True)
class Ordering:
    """
    Happens-before among the tasks of a launch, which are numbered in text order.

    `veus`, `positions` (from 1 on the task's vEU) and `clock_of` have the shape [tasks]; `clocks` has [clocks, vEUs].
    """

    veus: Integers
    positions: Clock
    clock_of: Integers
    clocks: Clock

    def before(self, first: Integers, second: Integers) -> NDArray[np.bool_]:
        """Whether tasks `first` are done before tasks `second`, later in text order, start; shapes [n]."""
        known = self.clocks[self.clock_of[second], self.veus[first]]
        return (known >= self.positions[first]) | (self.veus[first] == self.veus[second])

    def last_positions(self, begin: int, end: int) -> Clock:
        """The last position on every vEU of the tasks from `begin` to `end`, 0 where there is none; shape [vEUs]."""
        last = np.zeros(self.clocks.shape[1], self.clocks.dtype)
        # Positions grow along a vEU, and of repeated indices the last assignment stays.
        last[self.veus[begin:end]] = self.positions[begin:end]
        return last

    def known_positions(self, begin: int, end: int) -> Clock:
        """Up to which position of every vEU all tasks from `begin` to `end` have what other vEUs did; shape [vEUs]."""
        veus = self.clocks.shape[1]
        clocks, owners = np.divmod(np.unique(self.clock_of[begin:end] * veus + self.veus[begin:end]), veus)
        different, first, counts = np.unique(clocks, return_index=True, return_counts=True)
        rows = self.clocks[different]
        # What a vEU did itself is known to it; to others with the same clock it is not.
        alone = np.flatnonzero(counts == 1)
        rows[alone, owners[first[alone]]] = np.iinfo(self.clocks.dtype).max
        return rows.min(axis=0)


def order_tasks(schedule: Schedule, table: SignalTable) -> tuple[Ordering, EarlyReuse | None]:
    """
    Happens-before of a launch without deadlock, and the first counter that is reused too early.

    The ordering means something only where no counter is.
    """
    walk = _Walk(schedule, table)
    for number, step in enumerate(schedule.steps):
        if isinstance(step, Barrier):
            walk.meet(step)
        else:
            walk.run(number, step)
    return walk.ordering(), walk.find_early_reuse()


class _Walk:
    """One walk through a launch in text order."""

    def __init__(self, schedule: Schedule, table: SignalTable) -> None:
        self._schedule = schedule
        self._table = table
        self._dtype = clock_dtype(schedule)
        self._needs = {number: requirements(run) for number, run in schedule.runs() if run.waits}
        places = [table.places_of(needs) for needs in self._needs.values()]
        self._publications = Publications(schedule, table, np.concatenate([np.zeros(0, np.int64), *places]))
        barriers = sum(isinstance(step, Barrier) for step in schedule.steps)
        waiting = sum(len(np.unique(needs.owners)) for needs in self._needs.values())
        self._rows = ClockRows(barriers + waiting, schedule.veus, self._dtype)
        self._current = np.zeros(schedule.veus, np.int64)
        self._done: Clock = np.zeros(schedule.veus, self._dtype)
        self._veus = np.concatenate([np.zeros(0, np.int64), *(run.veus for _, run in schedule.runs())])
        self._positions: Clock = np.zeros(schedule.tasks, self._dtype)
        self._clock_of = np.zeros(schedule.tasks, np.int64)

    def ordering(self) -> Ordering:
        return Ordering(self._veus, self._positions, self._clock_of, self._rows.all())

    def find_early_reuse(self) -> EarlyReuse | None:
        return self._publications.find_early_reuse()

    def meet(self, barrier: Barrier) -> None:
        """All vEUs of the barrier go on with the join of their clocks."""
        group = slice(barrier.first, barrier.last)
        joined = self._rows.take(self._current[group]).max(axis=0)
        joined[group] = self._done[group]
        self._current[group] = self._rows.join(np.zeros(1, np.int64), joined[None, :])[0]

    def run(self, number: int, run: TaskRun) -> None:
        """Tasks in text order; where none waits for another of its run, at once, else in batches."""
        everything = np.arange(len(run))
        needs = self._needs.get(number)
        if needs is None or len(needs) == 0:
            self._execute(number, run, everything, everything[:0], everything[:0])
            return
        places = self._table.places_of(needs)
        last_needed = np.full(len(run), -1, np.int64)
        np.maximum.at(last_needed, needs.owners, self._table.tasks[places] - self._schedule.first_tasks[number])
        if not (last_needed >= 0).any():
            self._execute(number, run, everything, needs.owners, places)
            return
        bounds = _batches(np.maximum(last_needed, _previous_on_veu(run.veus)), self._schedule.veus)
        cuts = np.searchsorted(needs.owners, bounds)
        for k in range(len(bounds) - 1):
            part = slice(cuts[k], cuts[k + 1])
            tasks = everything[bounds[k] : bounds[k + 1]]
            self._execute(number, run, tasks, needs.owners[part] - bounds[k], places[part])

    def _execute(self, number: int, run: TaskRun, tasks: Integers, owners: Integers, places: Integers) -> None:
        """
        Runs tasks of a run none of which waits for another.

        The task at position `owners[k]` of `tasks` waits for the signals up to `places[k]`; owners are sorted.
        """
        veus = run.veus[tasks]
        rank = ranks(veus)
        clock_of = self._wait(veus, rank, owners, places) if len(owners) else self._current[veus]
        positions = (self._done[veus] + rank + 1).astype(self._dtype)
        self._done += np.bincount(veus, minlength=self._schedule.veus).astype(self._dtype)
        numbers = self._schedule.first_tasks[number] + tasks
        self._positions[numbers] = positions
        self._clock_of[numbers] = clock_of
        lists = [places_[tasks] for places_ in self._table.places[number]]
        if lists:
            for signalled in lists:
                self._publications.publish(signalled, self._rows, clock_of, veus, positions)
            self._publications.complete(np.concatenate(lists))

    def _wait(self, veus: Integers, rank: Integers, owners: Integers, places: Integers) -> Integers:
        """The clocks with which tasks on these vEUs, the `rank`-th there, start after their waits."""
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        learned, kind_of_waiting = self._learn(places, starts)
        kind = np.full(len(veus), -1, np.int64)
        kind[owners[starts]] = kind_of_waiting
        clock_of = np.empty(len(veus), np.int64)
        sequence = np.argsort(rank, kind="stable")
        for tasks in np.split(sequence, np.flatnonzero(np.diff(rank[sequence])) + 1):
            waiting = tasks[kind[tasks] >= 0]
            self._current[veus[waiting]] = self._rows.join(self._current[veus[waiting]], learned[kind[waiting]])
            clock_of[tasks] = self._current[veus[tasks]]
        return clock_of

    def _learn(self, places: Integers, starts: Integers) -> tuple[Clock, Integers]:
        """What groups of places, which begin at `starts`, tell: the different rows, and which is each group's."""
        counts = np.diff(np.append(starts, len(places)))
        chosen, kind = _different_groups(places, starts, counts)
        total = counts[chosen]
        taken = np.repeat(starts[chosen], total) + within_groups(total)
        rows = self._publications.learn(places[taken])
        return maxima_of_groups(rows, np.cumsum(total) - total), kind


def _different_groups(places: Integers, starts: Integers, counts: Integers) -> tuple[Integers, Integers]:
    """One group of each kind of group of places, and the kind of every group."""
    table = np.zeros((len(starts), int(counts.max())), np.int64)
    table[np.repeat(np.arange(len(starts)), counts), within_groups(counts)] = places + 1
    digits = int(places.max()) + 2
    if digits ** table.shape[1] < np.iinfo(np.int64).max:
        # Rows as numbers: the same order of magnitude faster than rows as rows.
        numbers = table @ digits ** np.arange(table.shape[1])
        _, chosen, kind = np.unique(numbers, return_index=True, return_inverse=True)
    else:
        _, chosen, kind = np.unique(table, axis=0, return_index=True, return_inverse=True)
    return chosen, kind.reshape(-1)


def ranks(veus: Integers) -> Integers:
    """For each task, how many tasks before it are on the same vEU."""
    order = np.argsort(veus, kind="stable")
    in_order = veus[order]
    starts = np.flatnonzero(np.diff(in_order, prepend=-1))
    rank = np.empty(len(veus), np.int64)
    rank[order] = np.arange(len(veus)) - np.repeat(starts, np.diff(np.append(starts, len(veus))))
    return rank


def _previous_on_veu(veus: Integers) -> Integers:
    """For each task, the position of the task before it on the same vEU, -1 if there is none."""
    order = np.argsort(veus, kind="stable")
    previous = np.full(len(veus), -1, np.int64)
    same = veus[order][1:] == veus[order][:-1]
    previous[order[1:][same]] = order[:-1][same]
    return previous


def _batches(depends: Integers, veus: int) -> list[int]:
    """Bounds of the longest ranges in which no task depends on another of its range, each of at most `veus` tasks."""
    bounds = [0]
    while bounds[-1] < len(depends):
        start = bounds[-1]
        inside = np.flatnonzero(depends[start + 1 : start + veus] >= start)
        bounds.append(start + 1 + int(inside[0]) if len(inside) else min(start + veus, len(depends)))
    return bounds
