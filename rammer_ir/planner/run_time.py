"""
How long `rammer train-plan` takes for an iteration.

What differs from the paper's schedule: transfers are no stages in the depth of the warm-up; they go on in both
directions at a time, short ones when a pass needs them, others from one pass ahead; and gradients are summed in
buckets, as soon as a bucket's layers have ended their last backward pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from rammer_ir.planner.cluster import Cluster
from rammer_ir.planner.latency import Candidate, Stage
from rammer_ir.planner.simulator import Warmup, warmup_depths
from rammer_ir.planner.states import Floats, States

BUCKET_BYTES = 25e6
"""Bytes of gradients that travel together: fewer waste latency, more begin late."""


RECEIVE_AHEAD = 0.03
"""
The share of a micro-batch's passes from which on a transfer is begun one pass ahead.

On a GPU, a transfer that waits keeps some SMs busy, which cost 7 to 10 % of an iteration on two H200s.
"""


@dataclass(frozen=True, slots=True)
class RunTimes:
    """
    Seconds of a plan's parts: `forward` and `backward` of a micro-batch in each stage, `transfer` of a micro-batch over
    each cut in one direction, `exposed` of each stage's sum of gradients behind its last backward pass.
    """

    forward: tuple[float, ...]
    backward: tuple[float, ...]
    transfer: tuple[float, ...]
    exposed: tuple[float, ...]

    @property
    def receives_ahead(self) -> bool:
        """Whether stages begin to receive one pass ahead: it hides transfers, and costs more than short ones take."""
        longest = max(map(sum, zip(self.forward, self.backward, strict=True)))
        return max(self.transfer, default=0.0) > RECEIVE_AHEAD * longest

    def seconds(self, micro_batches: int) -> dict[Warmup, float]:
        """Seconds of an iteration, by warm-up policy."""
        found: dict[Warmup, float] = {}
        for policy in get_args(Warmup):
            ends = _ends(self, micro_batches, warmup_depths(policy, len(self.forward), micro_batches))
            found[policy] = max(end + seconds for end, seconds in zip(ends, self.exposed, strict=True))
        return found


def run_times(states: Sequence[States], cluster: Cluster, plan: Candidate) -> RunTimes:
    """
    The times of a plan's parts.

    `states` has the model's states for each stage, scaled to the global batch: layers may take different times for a
    sample where a device gets fewer of them.
    """
    forward: list[float] = []
    backward: list[float] = []
    exposed: list[float] = []
    for stage, own in zip(plan.stages, states, strict=True):
        ahead, both, sizes = (_within(values, own, stage) for values in (own.forward, own.compute, own.parameters))
        share = len(stage.devices) * plan.micro_batches
        back = (both if stage.recompute else both - ahead) / share
        forward.append(float(ahead.sum()) / share)
        backward.append(float(back.sum()))
        exposed.append(exposed_all_reduce(sizes, back, cluster.all_reduce(stage.devices)))
    transfer = [
        cluster.transfer(stage.devices, following.devices) * float(own.outputs[stage.last]) / plan.micro_batches
        for stage, following, own in zip(plan.stages, plan.stages[1:], states, strict=False)
    ]
    return RunTimes(tuple(forward), tuple(backward), tuple(transfer), tuple(exposed))


def _ends(times: RunTimes, micro_batches: int, depths: Sequence[int]) -> list[float]:
    """When each stage ends its last backward pass."""
    stages = [_Clock(times.receives_ahead) for _ in depths]
    transfer = times.transfer
    ahead, back = ([0.0] * len(transfer) for _ in range(2))
    activations: list[list[float]] = [[] for _ in depths]
    for step in range(1 - depths[0], micro_batches):
        for number, stage in enumerate(stages):
            index = step + depths[number] - 1
            if 0 <= index < micro_batches:
                if number:
                    sent = max(activations[number - 1][index], ahead[number - 1], stage.ready)
                    ahead[number - 1] = sent + transfer[number - 1]
                stage.run(ahead[number - 1] if number else 0.0, times.forward[number])
                activations[number].append(stage.end)
        if step >= 0:
            for number in reversed(range(len(stages))):
                stage = stages[number]
                if number < len(transfer):
                    back[number] = max(stages[number + 1].end, back[number], stage.ready) + transfer[number]
                stage.run(back[number] if number < len(transfer) else 0.0, times.backward[number])
    return [stage.end for stage in stages]


@dataclass(slots=True)
class _Clock:
    """When a stage has ended its passes so far, and from when it receives what the next one needs."""

    receives_ahead: bool
    end: float = 0.0
    ready: float = 0.0

    def run(self, arrived: float, seconds: float) -> None:
        """A pass that begins when its values have arrived."""
        begin = max(self.end, arrived)
        self.end = begin + seconds
        self.ready = begin if self.receives_ahead else self.end


def exposed_all_reduce(sizes: Floats, backward: Floats, per_byte: float) -> float:
    """
    Seconds by which the sum of gradients outlasts the backward pass that completes them.

    `sizes` are bytes of gradients and `backward` seconds of layers from the first to the last, of shape [layers].
    """
    clock = link = waiting = 0.0
    for size, seconds in zip(sizes[::-1].tolist(), backward[::-1].tolist(), strict=True):
        clock += seconds
        waiting += size
        if waiting >= BUCKET_BYTES:
            sent = waiting // BUCKET_BYTES * BUCKET_BYTES
            link = max(link, clock) + sent * per_byte
            waiting -= sent
    return max(link, clock) + waiting * per_byte - clock


def _within(sums: Floats, states: States, stage: Stage) -> Floats:
    """What the states of a stage add to the sums up to each, in an order in which they may be cut."""
    before = float(sums[stage.first - 1]) if stage.first else 0.0
    inside = np.arange(stage.first, stage.last)
    chain = inside[states.precedes[stage.last, inside]]
    # States of branches beside each other do not contain each other.
    rising = np.maximum.accumulate(np.array([before, *sums[chain], float(sums[stage.last])]))
    return np.diff(np.minimum(rising, float(sums[stage.last])))
