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
from rammer_ir.scheduling.counters import SignalTable, requirements
from rammer_ir.scheduling.schedule import Barrier, Schedule, TaskRun

Clock = NDArray[np.int32]


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
        last = np.zeros(self.clocks.shape[1], np.int32)
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
        rows[alone, owners[first[alone]]] = np.iinfo(np.int32).max
        return rows.min(axis=0)


@dataclass(frozen=True)
class EarlyReuse:
    """A wait for `threshold` signals of a counter that task `late` signals too: it may come among the first ones."""

    counter: int
    threshold: int
    late: int


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


class _Rows:
    """A table of clocks that is filled row by row; row 0 is that of a vEU which knows nothing."""

    def __init__(self, capacity: int, veus: int) -> None:
        # Of what is allocated only what is written takes memory.
        self._table = np.empty((capacity + 1, veus), np.int32)
        self._table[0] = 0
        self._count = 1

    def join(self, numbers: Integers, learned: Clock) -> Integers:
        """Adds the joins of rows with what is learned, row by row; the numbers of the new ones."""
        end = self._count + len(numbers)
        np.maximum(self._table[numbers], learned, out=self._table[self._count : end])
        added = np.arange(self._count, end)
        self._count = end
        return added

    def take(self, numbers: Integers) -> Clock:
        return self._table[numbers]

    def all(self) -> Clock:
        return self._table[: self._count]


class _Publications:
    """
    What waits learn: for every place in the signal table that a wait needs, the join of the counter's clocks up to it.

    A signal counts for the next place needed on its counter; the places of a counter are joined in order.
    """

    def __init__(self, schedule: Schedule, table: SignalTable, needed: Integers) -> None:
        self._places = np.unique(needed)
        self._known = np.zeros((len(self._places), schedule.veus), np.int32)
        counters = np.repeat(np.arange(len(table.totals)), table.totals)
        following = np.searchsorted(self._places, np.arange(len(counters)))
        exists = following < len(self._places)
        same = np.zeros(len(counters), np.bool_)
        same[exists] = counters[self._places[following[exists]]] == counters[exists]
        self._target = np.where(same, following, -1)
        self._table = table
        several = _several_signallers(schedule, table)
        needed_counters = counters[self._places]
        self._joins_previous = np.zeros(len(self._places), np.bool_)
        self._joins_previous[1:] = (needed_counters[1:] == needed_counters[:-1]) & several[needed_counters[1:]]
        reused = np.zeros(len(table.totals), np.bool_)
        reused[needed_counters[self._places + 1 < table.starts[needed_counters + 1]]] = True
        self._watched = np.flatnonzero(reused & several)
        self._is_watched = reused & several
        self._counter_of_place = counters
        self._clocks_of_watched: dict[int, Clock] = {}

    def publish(self, places: Integers, rows: Clock, row_of: Integers, veus: Integers, positions: Clock) -> None:
        """Signals at these places, by tasks at `positions` of `veus` that started with the clocks `rows[row_of]`."""
        targets = self._target[places]
        useful = np.flatnonzero(targets >= 0)
        if len(useful):
            pairs = np.unique(targets[useful] * len(rows) + row_of[useful])
            of_pairs = pairs // len(rows)
            starts = np.flatnonzero(np.diff(of_pairs, prepend=-1))
            joined = maxima_of_groups(rows[pairs % len(rows)], starts)
            changed = of_pairs[starts]
            self._known[changed] = np.maximum(self._known[changed], joined)
            np.maximum.at(self._known, (targets[useful], veus[useful]), positions[useful])
        for k in np.flatnonzero(self._is_watched[self._counter_of_place[places]]):
            row = rows[row_of[k]].copy()
            row[veus[k]] = positions[k]
            self._clocks_of_watched[int(places[k])] = row

    def complete(self, places: Integers) -> None:
        """All signals up to these places are published."""
        targets = self._target[places]
        places, targets = places[targets >= 0], targets[targets >= 0]
        exact = np.unique(targets[self._places[targets] == places])
        for k in exact[self._joins_previous[exact]]:
            np.maximum(self._known[k], self._known[k - 1], out=self._known[k])

    def learn(self, places: Integers) -> Clock:
        """The joined clocks of the signals up to each of these places."""
        return self._known[np.searchsorted(self._places, places)]

    def find_early_reuse(self) -> EarlyReuse | None:
        """A signal that is not after all signals that a wait for fewer of the same counter means."""
        for counter in self._watched:
            start, end = int(self._table.starts[counter]), int(self._table.starts[counter + 1])
            rows = np.stack([self._clocks_of_watched[place] for place in range(start, end)])
            low, high = np.searchsorted(self._places, [start, end])
            for number in range(int(low), int(high)):
                place = int(self._places[number])
                late = (rows[place + 1 - start :] < self._known[number]).any(axis=1)
                if late.any():
                    task = int(self._table.tasks[place + 1 + int(np.argmax(late))])
                    return EarlyReuse(int(counter), place + 1 - start, task)
        return None


def _several_signallers(schedule: Schedule, table: SignalTable) -> NDArray[np.bool_]:
    """Which counters are signalled by more than one vEU: of one vEU, signals come in text order."""
    veus = np.concatenate([np.zeros(0, np.int64), *(run.veus for _, run in schedule.runs())])[table.tasks]
    counters = np.repeat(np.arange(len(table.totals)), table.totals)
    several = np.zeros(len(table.totals), np.bool_)
    different = (counters[1:] == counters[:-1]) & (veus[1:] != veus[:-1])
    several[counters[1:][different]] = True
    return several


class _Walk:
    """One walk through a launch in text order."""

    def __init__(self, schedule: Schedule, table: SignalTable) -> None:
        self._schedule = schedule
        self._table = table
        self._needs = {number: requirements(run) for number, run in schedule.runs() if run.waits}
        places = [table.places_of(needs) for needs in self._needs.values()]
        self._publications = _Publications(schedule, table, np.concatenate([np.zeros(0, np.int64), *places]))
        barriers = sum(isinstance(step, Barrier) for step in schedule.steps)
        waiting = sum(len(np.unique(needs.owners)) for needs in self._needs.values())
        self._rows = _Rows(barriers + waiting, schedule.veus)
        self._current = np.zeros(schedule.veus, np.int64)
        self._done = np.zeros(schedule.veus, np.int32)
        self._veus = np.concatenate([np.zeros(0, np.int64), *(run.veus for _, run in schedule.runs())])
        self._positions = np.zeros(schedule.tasks, np.int32)
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
        positions = (self._done[veus] + rank + 1).astype(np.int32)
        self._done += np.bincount(veus, minlength=self._schedule.veus).astype(np.int32)
        numbers = self._schedule.first_tasks[number] + tasks
        self._positions[numbers] = positions
        self._clock_of[numbers] = clock_of
        lists = [places_[tasks] for places_ in self._table.places[number]]
        if lists:
            different, row_of = np.unique(clock_of, return_inverse=True)
            rows = self._rows.take(different)
            for signalled in lists:
                self._publications.publish(signalled, rows, row_of, veus, positions)
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
        table = np.full((len(starts), counts.max()), -1, np.int64)
        table[np.repeat(np.arange(len(starts)), counts), _within(counts)] = places
        _, chosen, kind = np.unique(table, axis=0, return_index=True, return_inverse=True)
        kind = kind.reshape(-1)
        total = counts[chosen]
        taken = np.repeat(starts[chosen], total) + _within(total)
        rows = self._publications.learn(places[taken])
        return maxima_of_groups(rows, np.cumsum(total) - total), kind


def _within(counts: Integers) -> Integers:
    """0, 1, .. of each group, for groups of the given sizes one after another."""
    return np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)


def maxima_of_groups(rows: Clock, starts: Integers) -> Clock:
    """The maximum of the rows of each group; groups begin at `starts`. What `np.maximum.reduceat` does, faster."""
    counts = np.diff(np.append(starts, len(rows)))
    if (counts == counts[0]).all():
        return rows.reshape(len(starts), counts[0], rows.shape[1]).max(axis=1)
    if len(starts) <= counts.max():
        return np.stack([rows[start : start + count].max(axis=0) for start, count in zip(starts, counts, strict=True)])
    maxima = rows[starts]
    for k in range(1, int(counts.max())):
        groups = np.flatnonzero(counts > k)
        maxima[groups] = np.maximum(maxima[groups], rows[starts[groups] + k])
    return maxima


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
