"""
A synchronous pipeline with early backward scheduling, simulated task by task (section 3 of the DAPPLE paper).

A stage runs K forward passes to warm up, then a backward and a forward pass in turn, then the backward passes left.
Transfers between stages are stages of their own. Gradients are all-reduced behind a stage's last backward pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rammer_ir.errors import InvalidInputError

Warmup = Literal["A", "B"]
Kind = Literal["forward", "backward", "all_reduce"]


@dataclass(frozen=True, slots=True)
class PipelineTimes:
    """
    Seconds of a micro-batch in each stage, with the transfers between stages as stages in between.

    `all_reduce` is once an iteration, and zero for transfers; all three have an odd number 2 S - 1 of entries.
    """

    forward: tuple[float, ...]
    backward: tuple[float, ...]
    all_reduce: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """What a stage does from `start` to `end`, in seconds; `micro_batch` is -1 for an all-reduce."""

    stage: int
    kind: Kind
    micro_batch: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    A simulated iteration.

    `in_flight` is the most micro-batches that each stage holds between their forward and backward pass, `busy` the
    share of the iteration that it computes.
    """

    tasks: tuple[Task, ...]
    length: float
    in_flight: tuple[int, ...]
    busy: tuple[float, ...]


def warmup_depths(policy: Warmup, stages: int, micro_batches: int, limit: int | None = None) -> tuple[int, ...]:
    """
    Forward passes before each stage's first backward pass.

    Policy A is S - i, the fewest that keep the pipeline full; B is 2 (S - i) - 1, which hides transfers that take as
    long as computation. `limit` is what memory allows.
    """
    if limit is not None and limit < 1:
        raise InvalidInputError(f"a warm-up depth of {limit}: at least one micro-batch has to be in flight")
    most = micro_batches if limit is None else min(limit, micro_batches)
    return tuple(min(stages - i if policy == "A" else 2 * (stages - i) - 1, most) for i in range(stages))


def stage_order(depth: int, micro_batches: int) -> list[tuple[Kind, int]]:
    """The passes of a stage in order, with early backward scheduling."""
    order: list[tuple[Kind, int]] = [("forward", i) for i in range(depth)]
    for i in range(micro_batches):
        order.append(("backward", i))
        if depth + i < micro_batches:
            order.append(("forward", depth + i))
    return order


def simulate(times: PipelineTimes, micro_batches: int, depths: Sequence[int]) -> Schedule:
    """The iteration that the order of each stage and the dependences between stages lead to."""
    count = len(times.forward)
    orders = [stage_order(depth, micro_batches) for depth in depths]
    ends: dict[Kind, list[list[float]]] = {
        "forward": [[] for _ in range(count)],
        "backward": [[] for _ in range(count)],
    }
    position = [0] * count
    clock = [0.0] * count
    tasks: list[Task] = []
    ready = list(range(count))
    while ready:
        stage = ready.pop()
        progressed = False
        while position[stage] < len(orders[stage]):
            kind, index = orders[stage][position[stage]]
            available = _available(ends, kind, stage, index)
            if available is None:
                break
            start = max(clock[stage], available)
            clock[stage] = start + (times.forward if kind == "forward" else times.backward)[stage]
            ends[kind][stage].append(clock[stage])
            tasks.append(Task(stage, kind, index, start, clock[stage]))
            position[stage] += 1
            progressed = True
        if progressed:
            ready += [other for other in (stage - 1, stage + 1) if 0 <= other < count]
    if any(place < len(order) for place, order in zip(position, orders, strict=True)):
        raise InvalidInputError("the schedule waits for itself: a stage warms up less than the one behind it")
    tasks += [
        Task(stage, "all_reduce", -1, clock[stage], clock[stage] + seconds)
        for stage, seconds in enumerate(times.all_reduce)
        if seconds > 0
    ]
    length = max(end + seconds for end, seconds in zip(clock, times.all_reduce, strict=True))
    work = [micro_batches * (f + b) for f, b in zip(times.forward, times.backward, strict=True)]
    return Schedule(
        tuple(tasks),
        length,
        tuple(min(depth, micro_batches) for depth in depths),
        tuple(seconds / length if length else 0.0 for seconds in work),
    )


def _available(ends: dict[Kind, list[list[float]]], kind: Kind, stage: int, index: int) -> float | None:
    """When a pass's input is there; None where what makes it has not run."""
    made = ends[kind]
    other = stage - 1 if kind == "forward" else stage + 1
    if kind == "backward" and other == len(made):
        return ends["forward"][stage][index] if index < len(ends["forward"][stage]) else None
    if other < 0:
        return 0.0
    return made[other][index] if index < len(made[other]) else None
