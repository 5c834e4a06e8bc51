"""What a program's vEUs do in order, and when: by the cost model, or as a trace has it."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rammer_ir.runtime.launch_graph import launch_order
from rammer_ir.runtime.program_image import Opcode, ProgramImage
from rammer_ir.runtime.trace import Trace

TASK, WAIT, BARRIER = 0, 1, 2
"""Kinds of items."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Item:
    """
    A task, a wait or a barrier of a vEU.

    `needs` are (counter, how many signals), with negative counters for barriers; `signals` are given at its end, or for
    a barrier at its start. Counters are those of one launch.
    """

    kind: int
    veu: int
    launch: int
    instruction: int
    task: int
    iteration: int
    needs: tuple[tuple[int, int], ...]
    signals: list[int]


@dataclass(frozen=True)
class Timeline:
    """
    The items of one run, vEU by vEU in order, with their starts and ends in microseconds, shape [items].

    `released_by` is the item whose end let an item go on: the producer for a wait, who came last for a barrier, what
    was before it on its vEU for a task; -1 at the beginning.
    """

    image: ProgramImage
    items: Sequence[Item]
    start: Floats
    end: Floats
    released_by: NDArray[np.int64]

    @property
    def veus(self) -> int:
        return max((item.veu for item in self.items), default=-1) + 1

    @property
    def length(self) -> float:
        """Microseconds from the beginning to the last end."""
        return float(self.end.max(initial=0.0))

    @property
    def kinds(self) -> NDArray[np.int64]:
        """The kind of each item."""
        return np.array([item.kind for item in self.items], np.int64)

    @property
    def operators(self) -> NDArray[np.int64]:
        """For each item its descriptor, by which body and node are known; -1 for what is no task."""
        table = self.image.instructions
        return np.array([int(table[item.instruction, 2]) if item.kind == TASK else -1 for item in self.items], np.int64)


def items_of(image: ProgramImage, scalars: Sequence[int]) -> list[Item]:
    """All items of one run, launch by launch, there vEU by vEU."""
    values = dict(zip(image.scalars, scalars, strict=True))
    found: list[Item] = []
    for position, (number, iteration) in enumerate(launch_order(image, scalars)):
        for veu, start in enumerate(image.launches[number].streams):
            found.extend(_Stream(image, veu, position, iteration, values).items(start))
    return found


class _Stream:
    """The walk along one vEU's stream of a launch, which is the `launch`-th of the run, at a loop index of the host."""

    def __init__(self, image: ProgramImage, veu: int, launch: int, outer: int, values: Mapping[str, int]) -> None:
        self.image, self.veu, self.launch, self.outer, self.values = image, veu, launch, outer, values
        self.iteration = outer
        self.iterations = 0
        self.meetings: dict[int, int] = {}

    def items(self, place: int) -> Iterator[Item]:
        """The items from an instruction on."""
        last = self._item(WAIT, place, -1)
        while (words := self.image.instructions[place].tolist())[0] != Opcode.END:
            for last in self._items(words, place):
                yield last
            if words[0] == Opcode.SIGNAL:
                last.signals.append(words[1])
            place = self._next(words, place)

    def _items(self, words: list[int], place: int) -> Iterator[Item]:
        match words[0]:
            case Opcode.RUN:
                for i in range(words[4]):
                    yield self._item(TASK, place, words[3] + i * words[5], words[6])
            case Opcode.WAIT:
                wanted = words[3] + words[4] * self.iteration
                needs = tuple((counter, wanted) for counter in range(words[1], words[1] + words[2]) if wanted > 0)
                yield self._item(WAIT, place, -1, needs=needs)
            case Opcode.BARRIER:
                self.meetings[words[1]] = self.meetings.get(words[1], 0) + 1
                counter = -1 - words[1]
                item = self._item(BARRIER, place, -1, needs=((counter, self.meetings[words[1]] * words[2]),))
                item.signals.append(counter)
                yield item
            case _:
                pass

    def _item(self, kind: int, place: int, task: int, later: int = 0, needs: tuple[tuple[int, int], ...] = ()) -> Item:
        return Item(kind, self.veu, self.launch, place, task, self.iteration + later, needs, [])

    def _next(self, words: list[int], place: int) -> int:
        """The instruction after this one."""
        if words[0] == Opcode.FOR:
            self.iterations = words[1] if words[2] < 0 else self.values[self.image.scalars[words[2]]]
            if self.iterations <= 0:
                return words[3]
            self.iteration = 0
        elif words[0] == Opcode.NEXT:
            self.iteration += 1
            if self.iteration < self.iterations:
                return words[1]
            self.iteration = self.outer
        return place + 1


def predicted(
    image: ProgramImage, scalars: Sequence[int], costs: Mapping[int, float], synchronisation: float
) -> Timeline:
    """
    The timeline by costs: microseconds of a task by descriptor, and of what a wait or barrier takes after its release.

    Launches come one after another.
    """
    items = items_of(image, scalars)
    start, end = np.zeros(len(items)), np.zeros(len(items))
    released = np.full(len(items), -1, np.int64)
    clock, before = 0.0, -1
    begin = 0
    while begin < len(items):
        stop = begin
        while stop < len(items) and items[stop].launch == items[begin].launch:
            stop += 1
        _Simulation(image, items, (start, end, released), costs, synchronisation).run(begin, stop, clock, before)
        before = begin + int(np.argmax(end[begin:stop]))
        clock = float(end[before])
        begin = stop
    return Timeline(image, items, start, end, released)


class _Simulation:
    """One launch, event by event in the order of time: starts and ends of items."""

    def __init__(
        self,
        image: ProgramImage,
        items: Sequence[Item],
        times: tuple[Floats, Floats, NDArray[np.int64]],
        costs: Mapping[int, float],
        synchronisation: float,
    ) -> None:
        self.image, self.items, self.costs, self.synchronisation = image, items, costs, synchronisation
        self.start, self.end, self.released = times
        self.given: dict[int, list[int]] = {}
        """The items that signalled each counter, in the order of time."""
        self.waiting: dict[int, list[int]] = {}
        self.events: list[tuple[float, int, bool]] = []

    def run(self, begin: int, stop: int, clock: float, before: int) -> None:
        for k in range(begin, stop):
            if k == begin or self.items[k].veu != self.items[k - 1].veu:
                self.released[k] = before
                heapq.heappush(self.events, (clock, k, False))
        while self.events:
            now, k, is_end = heapq.heappop(self.events)
            if is_end:
                self._finish(now, k, stop)
            else:
                self._begin(now, k)

    def _begin(self, now: float, k: int) -> None:
        item = self.items[k]
        self.start[k] = now
        if item.kind == TASK:
            cost = self.costs.get(int(self.image.instructions[item.instruction, 2]), 0.0)
            heapq.heappush(self.events, (now + cost, k, True))
            return
        if not self._try(now, k, -1):
            for counter, _ in item.needs:
                self.waiting.setdefault(counter, []).append(k)
        if item.kind == BARRIER:
            for counter in item.signals:
                self._signal(now, k, counter)

    def _try(self, now: float, k: int, by: int) -> bool:
        """Whether an item that waits goes on now, released by another."""
        if any(len(self.given.get(counter, ())) < wanted for counter, wanted in self.items[k].needs):
            return False
        if by >= 0 and by != k:
            self.released[k] = by
        heapq.heappush(self.events, (now + self.synchronisation, k, True))
        return True

    def _signal(self, now: float, k: int, counter: int) -> None:
        self.given.setdefault(counter, []).append(k)
        waiters = self.waiting.pop(counter, [])
        self.waiting[counter] = [waiter for waiter in waiters if not self._try(now, waiter, k)]

    def _finish(self, now: float, k: int, stop: int) -> None:
        self.end[k] = now
        item = self.items[k]
        if item.kind != BARRIER:
            for counter in item.signals:
                self._signal(now, k, counter)
        following = k + 1
        if following < stop and self.items[following].veu == item.veu:
            self.released[following] = k
            heapq.heappush(self.events, (now, following, False))


def measured(trace: Trace, scalars: Sequence[int]) -> Timeline:
    """The timeline of a trace."""
    image = trace.image
    items = items_of(image, scalars)
    start, end = np.zeros(len(items)), np.zeros(len(items))
    rows = np.flatnonzero(np.isin(trace.opcode, (Opcode.RUN, Opcode.WAIT, Opcode.BARRIER)))
    order = rows[np.lexsort((trace.start[rows], trace.veu[rows]))]
    own = sorted(range(len(items)), key=lambda k: (items[k].veu, k))
    if len(own) != len(order):
        raise ValueError(f"{len(order)} records of a run that has {len(own)}")
    start[own], end[own] = trace.start[order], trace.end[order]
    return Timeline(image, items, start, end, _releases(items, start, end))


def _releases(items: Sequence[Item], start: Floats, end: Floats) -> NDArray[np.int64]:
    """What let each item go on, by times."""
    given: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for k, item in enumerate(items):
        for counter in item.signals:
            given.setdefault((item.launch, counter), []).append(
                (float(start[k] if item.kind == BARRIER else end[k]), k)
            )
    for signals in given.values():
        signals.sort()
    released = np.full(len(items), -1, np.int64)
    last_of_launch: dict[int, int] = {}
    for k, item in enumerate(items):
        known = last_of_launch.get(item.launch)
        if known is None or end[k] > end[known]:
            last_of_launch[item.launch] = k
    for k, item in enumerate(items):
        same = k > 0 and items[k - 1].veu == item.veu and items[k - 1].launch == item.launch
        released[k] = k - 1 if same else last_of_launch.get(item.launch - 1, -1)
        latest = (float(start[k]), int(released[k]))
        for counter, wanted in item.needs:
            signals = given.get((item.launch, counter), [])
            if len(signals) >= wanted:
                latest = max(latest, signals[wanted - 1])
        released[k] = latest[1] if latest[1] != k else released[k]
    return released
