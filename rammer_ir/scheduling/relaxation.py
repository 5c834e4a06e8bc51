"""Waits for tasks in place of barriers: each task waits for those that it conflicts with, and no others."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rammer_ir.scheduling.boxes import Integers
from rammer_ir.scheduling.clocks import Clock, maxima_of_groups
from rammer_ir.scheduling.happens_before import ranks
from rammer_ir.scheduling.races import Memory
from rammer_ir.scheduling.run_counters import RunCounters, counters_of_run
from rammer_ir.scheduling.schedule import Barrier, TaskRun
from rammer_ir.scheduling.task_relations import Relation, RunRelations

MOST_POLLED = 32
"""A task that needs more counters of a run waits for all of it: a vEU polls so many at once (on CUDA: a warp)."""


@dataclass(frozen=True)
class GridRun:
    """A run with the coordinates of its tasks in their kernel's grid, shape [n, rank]."""

    run: TaskRun
    points: Integers


@dataclass(frozen=True)
class RunWait:
    """
    What tasks of a run wait for: counters of the earlier run `producer`, or its one counter of all its tasks.

    `rows`, of shape [n, 3], has first counter, number of counters and threshold; zeros where a task does not wait.
    """

    producer: int
    rows: Integers
    whole: bool


@dataclass(frozen=True)
class EventPlan:
    """
    The waits of every run, and what is counted for them.

    `counters` has the runs of which parts are waited for, by number; `totals` those that are waited for as a whole.
    """

    counters: dict[int, RunCounters]
    totals: set[int]
    waits: list[list[RunWait]]


def plan_events(steps: Sequence[GridRun | Barrier], veus: int, memories: Sequence[Memory]) -> EventPlan:
    """
    The waits that order all conflicting tasks of a sequence of runs, and of barriers of all vEUs that stay.

    Runs are walked in text order with a clock for each vEU, which says how many tasks of every vEU are done as far as
    it knows. A task waits for what it conflicts with and does not know to be done, the latest run first: what follows
    from other waits, and from the order of its vEU, is left out.
    """
    grid_runs = [step for step in steps if isinstance(step, GridRun)]
    runs = [step.run for step in grid_runs]
    relations = RunRelations(runs, memories)
    pairs = relations.pairs()
    counters = _counters(grid_runs, relations)
    walk = _Walk(veus, sum(len(run) for run in runs))
    plan = EventPlan({}, set(), [])
    for step in steps:
        if isinstance(step, Barrier):
            walk.meet()
            continue
        number = len(plan.waits)
        walk.begin(step.run)
        waits: list[RunWait] = []
        for earlier in walk.unknown(pairs[number]):
            if walk.knows(earlier):
                continue
            found = relations.conflicts(earlier, number)
            rows = walk.wait(earlier, counters[earlier], found) if found else np.zeros((0, 3), np.int64)
            waits += _split(earlier, rows, counters[earlier])
        walk.end()
        plan.waits.append(waits)
        for wait in waits:
            if wait.whole:
                plan.totals.add(wait.producer)
            else:
                plan.counters[wait.producer] = counters[wait.producer]
    return plan


def _split(producer: int, rows: Integers, counters: RunCounters) -> list[RunWait]:
    """Rows of waits for few counters, and rows of waits for a whole run, if there are any."""
    whole = rows[:, 1] > MOST_POLLED
    parts = np.where(whole[:, None], 0, rows)
    totals = np.where(whole[:, None], (0, 1, len(counters.of_tasks)), 0)
    waits = [RunWait(producer, parts, whole=False), RunWait(producer, totals, whole=True)]
    return [wait for wait in waits if wait.rows.any()]


def _counters(runs: Sequence[GridRun], relations: RunRelations) -> list[RunCounters]:
    """The counters of every run, by what later runs read of what it writes."""
    reads: list[list[Relation]] = [[] for _ in runs]
    for number in range(len(runs)):
        for writer, relation in relations.reads(number):
            reads[writer].append(relation)
    return [counters_of_run(step.points, of_run) for step, of_run in zip(runs, reads, strict=True)]


@dataclass
class _Done:
    """A run that was walked: positions of its tasks on their vEUs, and what each knows when it is done, [n, vEUs]."""

    veus: Integers
    positions: Integers
    last: Clock
    knows: Clock
    by_counter: Clock | None = None


@dataclass
class _Walk:
    """Clocks of all vEUs, [vEUs, vEUs], and the runs so far. A vEU's own entry counts its tasks."""

    veus: int
    tasks: int
    runs: list[_Done] = field(default_factory=list[_Done])

    def __post_init__(self) -> None:
        self.dtype = np.int16 if self.tasks < np.iinfo(np.int16).max else np.int32
        self.clocks: Clock = np.zeros((self.veus, self.veus), self.dtype)
        self._run = TaskRun(np.zeros(0, np.int64))
        self._known = self.clocks
        self._rounds: list[Integers] = []
        self._previous = np.zeros(0, np.int64)

    def meet(self) -> None:
        """A barrier of all vEUs."""
        self.clocks[:] = self.clocks.max(axis=0)

    def begin(self, run: TaskRun) -> None:
        """The tasks of a run come next; `_known` has the clock with which each starts, own tasks before it included."""
        self._run = run
        rank = ranks(run.veus)
        order = np.argsort(rank, kind="stable")
        self._rounds = np.split(order, np.flatnonzero(np.diff(rank[order])) + 1)
        self._known = self.clocks[run.veus]
        self._known[np.arange(len(run)), run.veus] += rank.astype(self.dtype)

    def unknown(self, earlier: Sequence[int]) -> list[int]:
        """Those of some earlier runs of which some task is not known to be done by some task of this run."""
        if not earlier:
            return []
        last = np.stack([self.runs[number].last for number in earlier])
        known = (last <= self._known.min(axis=0)).all(axis=1)
        return [number for number, is_known in zip(earlier, known.tolist(), strict=True) if not is_known]

    def knows(self, earlier: int) -> bool:
        """Whether all tasks know, after their waits so far, that those of an earlier run are done."""
        return bool((self.runs[earlier].last <= self._known).all())

    def wait(self, earlier: int, counters: RunCounters, relations: Sequence[Relation]) -> Integers:
        """Has tasks wait for those of an earlier run that they conflict with and do not know: rows of a `RunWait`."""
        done = self.runs[earlier]
        rows = np.zeros((len(self._run), 3), np.int64)
        needs = np.zeros((len(done.veus), self.veus), self.dtype)
        needs[np.arange(len(done.veus)), done.veus] = done.positions
        needed = np.maximum.reduce([relation.maxima(needs) for relation in relations])
        if not (needed > self._known).any():
            return rows
        ranges = _ranges(counters, relations)
        ranges[ranges[:, 1] > MOST_POLLED] = 0, counters.count
        before: Integers | None = None
        for tasks in self._rounds:
            self._inherit(before, tasks)
            late = tasks[(needed[tasks] > self._known[tasks]).any(axis=1)]
            if len(late):
                rows[late, :2] = ranges[late]
                rows[late, 2] = counters.threshold
                self._learn(done, counters, late, ranges[late])
            before = tasks
        return rows

    def _inherit(self, before: Integers | None, tasks: Integers) -> None:
        """Tasks know what the task before on their vEU knew."""
        if before is None:
            return
        place = np.zeros(self.veus, np.int64)
        place[self._run.veus[before]] = before
        previous = self._known[place[self._run.veus[tasks]]]
        np.maximum(self._known[tasks], previous, out=previous)
        self._known[tasks] = previous

    def _learn(self, done: _Done, counters: RunCounters, tasks: Integers, ranges: Integers) -> None:
        if done.by_counter is None:
            order = np.argsort(counters.of_tasks, kind="stable")
            starts = np.flatnonzero(np.diff(counters.of_tasks[order], prepend=-1))
            done.by_counter = maxima_of_groups(done.knows[order], starts)
        different, kinds = np.unique(ranges, axis=0, return_inverse=True)
        rows = [done.by_counter[first : first + count].max(axis=0) for first, count in different.tolist()]
        self._known[tasks] = np.maximum(self._known[tasks], np.stack(rows)[kinds.reshape(-1)])

    def end(self) -> None:
        """All tasks of the run are done."""
        run, tasks = self._run, np.arange(len(self._run))
        before: Integers | None = None
        for part in self._rounds:
            self._inherit(before, part)
            before = part
        positions = self._known[tasks, run.veus] + 1
        self._known[tasks, run.veus] = positions
        for part in self._rounds:
            self.clocks[run.veus[part]] = self._known[part]
        last = np.zeros(self.veus, self.dtype)
        np.maximum.at(last, run.veus, positions)
        self.runs.append(_Done(run.veus, positions, last, self._known))


def _ranges(counters: RunCounters, relations: Sequence[Relation]) -> Integers:
    """The first counter and the number of counters that each later task needs, shape [n, 2]."""
    top = counters.count
    ends = np.stack([counters.of_tasks + 1, top - counters.of_tasks], axis=1)
    needed = np.maximum.reduce([relation.maxima(ends) for relation in relations])
    first = top - needed[:, 1]
    return np.stack([first, np.maximum(needed[:, 0] - first, 0)], axis=1)
