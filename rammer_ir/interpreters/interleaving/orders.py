"""Orders to run a program in: that of its text, random ones, and those that an adversary would choose."""

from collections.abc import Callable, Sequence

import numpy as np

from rammer_ir.interpreters.interleaving.machine import Unit
from rammer_ir.interpreters.interleaving.tasks import Task

Order = Callable[[Sequence[Unit]], Unit]
"""Chooses, among the vEUs that can go on, the one that does."""


def _text_place(unit: Unit) -> tuple[int, int, int, int]:
    """Where a vEU is in the text; a task that has begun ends before anything else."""
    item = unit.next
    place = item.number if isinstance(item, Task) else _next_task(unit)
    return (unit.launch.number, 0 if unit.working else 1, place, unit.veu)


def _next_task(unit: Unit) -> int:
    """The number of the task that a vEU comes to after a meeting; before none it can meet at any time."""
    rest = unit.launch.streams[unit.veu][unit.done :]
    return next((item.number for item in rest if isinstance(item, Task)), -1)


def text_order(ready: Sequence[Unit]) -> Unit:
    """The task that comes first in the text, each from its beginning to its end: what the text means."""
    return min(ready, key=_text_place)


def random_order(seed: int) -> Order:
    """Any vEU at every step, all equally likely."""
    generator = np.random.default_rng(seed)

    def choose(ready: Sequence[Unit]) -> Unit:
        return ready[int(generator.integers(len(ready)))]

    return choose


def priority_order(seed: int, steps: int, changes: int = 3) -> Order:
    """
    The vEU with the highest of random priorities, some of which drop at random steps.

    Probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010): a bug that needs `changes` + 1 events in order
    is found with a probability that is known, which uniform choices rarely reach. `steps` is about how long a run is.
    """
    generator = np.random.default_rng(seed)
    priorities: dict[Unit, float] = {}
    drops = set(generator.integers(0, max(steps, 1), changes).tolist())
    taken = 0

    def choose(ready: Sequence[Unit]) -> Unit:
        nonlocal taken
        for unit in ready:
            if unit not in priorities:
                priorities[unit] = 1.0 + float(generator.random())
        chosen = max(ready, key=lambda unit: priorities[unit])
        if taken in drops:
            priorities[chosen] = -float(taken)
        taken += 1
        return chosen

    return choose


def delaying_order(task: int) -> Order:
    """
    All others go as far as they can before the task of this number begins.

    What is not ordered after the task runs before it, so an access of later text that conflicts with one of the task's
    is seen on the wrong side of it. Delaying each task in turn turns every two tasks round that nothing orders.
    """

    def choose(ready: Sequence[Unit]) -> Unit:
        others = [unit for unit in ready if unit.working or not _is(unit, task)]
        return text_order(others or ready)

    return choose


def _is(unit: Unit, task: int) -> bool:
    item = unit.next
    return isinstance(item, Task) and item.number == task
