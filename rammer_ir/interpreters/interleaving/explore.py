"""
All orders of a program, as far as they can differ.

States are where every vEU is and what memory holds. A step that no step of the other vEUs can conflict with, however
far they go while its vEU stands still, is taken alone: any order in which it comes later gives the same (a persistent
set of one step; Godefroid, Partial-Order Methods for the Verification of Concurrent Systems, 1996). Where all steps may
meet conflicting ones, all that are ready are tried. A program that is synchronised well has so one path to look at.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rammer_ir.dialects import block, vdevice
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.element_types import Array
from rammer_ir.interpreters.interleaving.machine import Machine, State, Unit
from rammer_ir.interpreters.interleaving.orders import text_order
from rammer_ir.interpreters.interleaving.tasks import ProgramTasks, Task
from rammer_ir.interpreters.interleaving.terms import TermMemory


class TooManyStatesError(RammerError):
    """A program has more states than were to be looked at."""


Ending = tuple[Array, ...] | None
"""Outputs; None for a run that cannot end."""


def endings(program: vdevice.ProgramOp, tasks: ProgramTasks, memory: TermMemory, limit: int) -> list[Ending]:
    """
    All different endings of a program's runs.

    Raises TooManyStatesError beyond `limit` states, which count tasks and barriers on every path.
    """
    machine = Machine(tasks, memory)
    independence = _Independence(program, tasks, memory)
    stack: list[tuple[State, bytes]] = [(machine.save(), memory.contents())]
    seen: set[tuple[object, ...]] = set()
    found: dict[bytes | None, Ending] = {}
    while stack:
        state, contents = stack.pop()
        machine.restore(state)
        memory.restore(contents)
        while True:
            ready = machine.ready()
            if not ready:
                stuck = bool(machine.stuck())
                key = None if stuck else b"".join(part.tobytes() for part in memory.outputs())
                found.setdefault(key, None if stuck else tuple(part.copy() for part in memory.outputs()))
                break
            key = machine.save()[0], hash(memory.contents())
            if key in seen:
                break
            seen.add(key)
            if len(seen) > limit:
                raise TooManyStatesError(f"the program has more than {limit} states")
            alone = independence.independent(machine, ready)
            if alone is not None:
                machine.step(alone)
                continue
            here, held = machine.save(), memory.contents()
            for unit in ready[1:]:
                machine.step(unit)
                stack.append((machine.save(), memory.contents()))
                machine.restore(here)
                memory.restore(held)
            machine.step(ready[0])
    return list(found.values())


class _Independence:
    """Finds a ready step that nothing which may come before it conflicts with."""

    def __init__(self, program: vdevice.ProgramOp, tasks: ProgramTasks, memory: TermMemory) -> None:
        self._stamps = _StampMemory(program)
        every = tasks.tasks
        plain = [memory.cells(task.reads, words=False) for task in every]
        words = [memory.cells(task.reads, words=True) for task in every]
        writes = [memory.cells(task.writes) for task in every]
        self._begin = _meets(plain, writes)
        """Whether the begin of a task conflicts with the end of another."""
        self._end = _meets(words, writes) | _meets(writes, words) | _meets(writes, writes)
        """Whether the ends of two tasks conflict."""

    def independent(self, machine: Machine, ready: Sequence[Unit]) -> Unit | None:
        """A ready vEU whose step may be taken alone, if there is one."""
        for unit in ready:
            if not isinstance(unit.next, Task):
                return unit
        for unit in sorted(ready, key=lambda unit: not unit.working):
            if self._is_independent(machine, unit):
                return unit
        return None

    def _is_independent(self, machine: Machine, unit: Unit) -> bool:
        task = unit.next
        assert isinstance(task, Task)
        begun, ended = self._others(machine, unit)
        if unit.working:
            return not (self._begin[begun, task.number].any() or self._end[task.number, ended].any())
        return not self._begin[task.number, ended].any()

    def _others(self, machine: Machine, unit: Unit) -> tuple[list[int], list[int]]:
        """The tasks that begin, and those that end, when all other vEUs go as far as they can."""
        state, memory = machine.save(), machine.memory
        self._stamps.take(memory)
        machine.memory = self._stamps
        begun: list[int] = []
        ended: list[int] = []
        while ready := [other for other in machine.ready() if other is not unit]:
            chosen = text_order(ready)
            if isinstance(chosen.next, Task):
                (ended if chosen.working else begun).append(chosen.next.number)
            machine.step(chosen)
        machine.memory = memory
        machine.restore(state)
        return begun, ended


class _StampMemory:
    """Memory that knows only which words have been written in which launch."""

    def __init__(self, program: vdevice.ProgramOp) -> None:
        self._words = [
            op.result
            for op in program.body.block.ops
            if isinstance(op, vdevice.BufferOp) and block.memory_space(op.result) is block.MemorySpace.WORDS
        ]
        self._stamps: dict[object, NDArray[np.int64]] = {}

    def take(self, memory: object) -> None:
        """Starts from what other memory holds."""
        assert isinstance(memory, TermMemory)
        self._stamps = {value: memory.stamps(value) for value in self._words}

    def begin(self, task: Task) -> None:
        """Reads nothing."""

    def words_ready(self, task: Task, launch: int) -> bool:
        return all(
            bool((self._stamps[operand.value][operand.box] == launch).all())
            for operand in task.reads
            if operand.value in self._stamps
        )

    def end(self, task: Task, launch: int, snapshot: None) -> None:
        for operand in task.writes:
            if operand.value in self._stamps:
                self._stamps[operand.value][operand.box] = launch

    def outputs(self) -> list[Array]:
        return []


def _meets(first: Sequence[NDArray[np.int64]], second: Sequence[NDArray[np.int64]]) -> NDArray[np.bool_]:
    """Which lists of cells have one in common; entry [i, j] for list i of the first and j of the second."""
    count = 1 + max((int(cells[-1]) for cells in [*first, *second] if len(cells)), default=0)
    ones, others = ([_bits(cells, count) for cells in lists] for lists in (first, second))
    return np.array([[bool(one & other) for other in others] for one in ones], np.bool_).reshape(len(ones), len(others))


def _bits(cells: NDArray[np.int64], count: int) -> int:
    """A set of cells as the bits of a number."""
    mask = np.zeros(count, np.bool_)
    mask[cells] = True
    return int.from_bytes(np.packbits(mask).tobytes())
