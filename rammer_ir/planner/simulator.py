"""
A synchronous pipeline with early backward scheduling, simulated task by task (section 3 of the DAPPLE paper).

A stage runs K forward passes to warm up, then a backward and a forward pass in turn, then the backward passes left.
Transfers between stages are stages of their own. Gradients are all-reduced behind a stage's last backward pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
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

    @staticmethod
    def with_transfers(
        forward: Sequence[float], backward: Sequence[float], all_reduce: Sequence[float], transfer: Sequence[float]
    ) -> "PipelineTimes":
        """From the times of stages, and those of the transfers between them in one direction."""
        return PipelineTimes(
            _interleaved(forward, transfer),
            _interleaved(backward, transfer),
            _interleaved(all_reduce, [0.0] * len(transfer)),
        )


def _interleaved(stages: Sequence[float], cuts: Sequence[float]) -> tuple[float, ...]:
    pairs = [value for pair in zip(stages, cuts, strict=False) for value in pair]
    return (*pairs, stages[-1])


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


def simulate(times: PipelineTimes, micro_batches: int, depths: Sequence[int]) -> Schedule:
    """The iteration that the order of each stage and the dependences between stages lead to."""
    ends = _pass_ends(times, micro_batches, depths)
    tasks: list[Task] = []
    kinds: tuple[tuple[Kind, tuple[float, ...]], ...] = (("forward", times.forward), ("backward", times.backward))
    for stage, reduced in enumerate(times.all_reduce):
        for kind, seconds in kinds:
            made = enumerate(ends[kind][stage])
            tasks += [Task(stage, kind, index, end - seconds[stage], end) for index, end in made]
        if reduced > 0:
            last = ends["backward"][stage][-1]
            tasks.append(Task(stage, "all_reduce", -1, last, last + reduced))
    length = _length(times, ends)
    work = [micro_batches * (f + b) for f, b in zip(times.forward, times.backward, strict=True)]
    return Schedule(
        tuple(sorted(tasks, key=lambda task: (task.start, task.end))),
        length,
        tuple(min(depth, micro_batches) for depth in depths),
        tuple(seconds / length if length else 0.0 for seconds in work),
    )


def simulated_length(times: PipelineTimes, micro_batches: int, depths: Sequence[int]) -> float:
    """Seconds of the iteration that `simulate` describes."""
    return _length(times, _pass_ends(times, micro_batches, depths))


def _length(times: PipelineTimes, ends: dict[Kind, list[list[float]]]) -> float:
    return max(made[-1] + reduced for made, reduced in zip(ends["backward"], times.all_reduce, strict=True))


def _pass_ends(times: PipelineTimes, micro_batches: int, depths: Sequence[int]) -> dict[Kind, list[list[float]]]:
    """
    When each pass of each stage ends, by kind, stage and micro-batch.

    Stages go on together: in step t, each runs forward pass t + K - 1 and then backward pass t, so that what a pass
    waits for has an earlier step, or the same step and an earlier place in it.
    """
    depths = [min(depth, micro_batches) for depth in depths]
    if any(before < behind for before, behind in pairwise(depths)):
        raise InvalidInputError("the schedule waits for itself: a stage warms up less than the one behind it")
    count = len(times.forward)
    forward: list[list[float]] = [[] for _ in range(count)]
    backward: list[list[float]] = [[] for _ in range(count)]
    clock = [0.0] * count
    for step in range(1 - depths[0], micro_batches):
        for stage in range(count):
            index = step + depths[stage] - 1
            if 0 <= index < micro_batches:
                given = forward[stage - 1][index] if stage else 0.0
                clock[stage] = max(clock[stage], given) + times.forward[stage]
                forward[stage].append(clock[stage])
        if step >= 0:
            returned = 0.0
            for stage in range(count - 1, -1, -1):
                returned = clock[stage] = max(clock[stage], returned) + times.backward[stage]
                backward[stage].append(returned)
    return {"forward": forward, "backward": backward}
