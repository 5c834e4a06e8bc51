"""The machine that takes a program's tasks in any order that waits and barriers allow."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rammer_ir.interpreters.interleaving.tasks import Item, LaunchRun, Meeting, ProgramTasks, Task
from rammer_ir.interpreters.interleaving.values import Memory, Snapshot

State = tuple[Any, ...]
"""Where a machine is: vEUs, counters, arrivals at barriers, launches."""


@dataclass(eq=False)
class Unit:
    """A vEU of a launch: how far it is in its stream."""

    launch: LaunchRun
    veu: int
    done: int = 0
    snapshot: Snapshot = None
    """What its task read, while one is at work."""
    working: bool = False
    arrived: bool = False
    """Whether it stands at its next meeting."""

    @property
    def next(self) -> Item | None:
        """What it is at, or comes to; None at the end of its stream."""
        stream = self.launch.streams[self.veu]
        return stream[self.done] if self.done < len(stream) else None


class Machine:
    """
    One run of a program. `ready` says which vEUs can make a step, `step` makes one.

    A task takes two steps: it begins, when the counters it waits for allow it, and reads; it ends, when the words it
    waits for are there, and writes and signals. A barrier takes two: a vEU arrives, and leaves when all have arrived.
    """

    def __init__(self, tasks: ProgramTasks, memory: Memory) -> None:
        self.memory = memory
        self.units = [[Unit(launch, veu) for veu in range(len(launch.streams))] for launch in tasks.launches]
        self.order: list[int] = []
        """The numbers of the tasks in the order in which they began."""
        self._launches = tasks.launches
        self._counters = [[0] * launch.counters for launch in tasks.launches]
        self._arrivals: list[dict[Meeting, int]] = [{} for _ in tasks.launches]
        self._meetings: dict[tuple[int, int, Meeting], int] = {}
        self._remaining = [sum(bool(stream) for stream in launch.streams) for launch in tasks.launches]
        self._ended: set[int] = set()
        self._active: list[int] = []
        self._update_launches()

    def save(self) -> State:
        """Where the machine is, without its memory; snapshots of tasks at work included."""
        return (
            tuple((unit.done, unit.working, unit.arrived, unit.snapshot) for units in self.units for unit in units),
            tuple(map(tuple, self._counters)),
            tuple(dict(arrivals) for arrivals in self._arrivals),
            dict(self._meetings),
            tuple(self._remaining),
            frozenset(self._ended),
            tuple(self._active),
            len(self.order),
        )

    def restore(self, state: State) -> None:
        """Back to where `save` was called."""
        units, counters, arrivals, meetings, remaining, ended, active, begun = state
        for unit, saved in zip((unit for units in self.units for unit in units), units, strict=True):
            unit.done, unit.working, unit.arrived, unit.snapshot = saved
        self._counters = [list(part) for part in counters]
        self._arrivals = [dict(part) for part in arrivals]
        self._meetings = dict(meetings)
        self._remaining, self._ended, self._active = list(remaining), set(ended), list(active)
        del self.order[begun:]

    def ready(self) -> list[Unit]:
        """The vEUs that can go on; none when all is done, or nothing can."""
        return [unit for number in self._active for unit in self.units[number] if self._can_go_on(unit)]

    def stuck(self) -> list[Unit]:
        """The vEUs that are not at their end."""
        return [unit for units in self.units for unit in units if unit.next is not None]

    def step(self, unit: Unit) -> None:
        """One step of a vEU that is ready."""
        item = unit.next
        assert item is not None
        if isinstance(item, Meeting):
            self._meet(unit, item)
        elif unit.working:
            self._end(unit, item)
        else:
            unit.snapshot = self.memory.begin(item)
            unit.working = True
            self.order.append(item.number)

    def _can_go_on(self, unit: Unit) -> bool:
        item = unit.next
        if item is None:
            return False
        number = unit.launch.number
        if isinstance(item, Meeting):
            if not unit.arrived:
                return True
            times = self._meetings[number, unit.veu, item]
            return self._arrivals[number][item] >= times * (item.last - item.first)
        if unit.working:
            return self.memory.words_ready(item, number)
        counters = self._counters[number]
        return all(counters[counter] >= threshold for counter, threshold in item.waits)

    def _meet(self, unit: Unit, item: Meeting) -> None:
        number = unit.launch.number
        if unit.arrived:
            unit.arrived = False
            self._advance(unit)
            return
        unit.arrived = True
        key = number, unit.veu, item
        self._meetings[key] = self._meetings.get(key, 0) + 1
        arrivals = self._arrivals[number]
        arrivals[item] = arrivals.get(item, 0) + 1

    def _end(self, unit: Unit, task: Task) -> None:
        number = unit.launch.number
        self.memory.end(task, number, unit.snapshot)
        unit.snapshot, unit.working = None, False
        for counter in task.signals:
            self._counters[number][counter] += 1
        self._advance(unit)

    def _advance(self, unit: Unit) -> None:
        unit.done += 1
        if unit.next is None:
            number = unit.launch.number
            self._remaining[number] -= 1
            if self._remaining[number] == 0:
                self._update_launches()

    def _update_launches(self) -> None:
        for launch in self._startable():
            self._active.append(launch.number)
        for number in [number for number in self._active if self._remaining[number] == 0]:
            self._active.remove(number)
            self._ended.add(number)
            self._update_launches()

    def _startable(self) -> Iterator[LaunchRun]:
        for launch in self._launches:
            waiting = launch.number not in self._active and launch.number not in self._ended
            if waiting and launch.after <= self._ended:
                yield launch
