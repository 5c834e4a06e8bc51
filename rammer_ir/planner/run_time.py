"""
How long `rammer train-plan` takes for an iteration.

By the simulator, with two differences to the paper's schedule: transfers are no stages in the depth of the warm-up, and
gradients are summed in buckets, as soon as a bucket's layers have ended their last backward pass.
"""

from collections.abc import Sequence
from typing import get_args

import numpy as np

from rammer_ir.planner.cluster import Cluster
from rammer_ir.planner.latency import Candidate, Stage
from rammer_ir.planner.simulator import PipelineTimes, Warmup, simulated_length, stage_depths, warmup_depths
from rammer_ir.planner.states import Floats, States

BUCKET_BYTES = 25e6
"""Bytes of gradients that travel together: fewer waste latency, more begin late."""


def run_seconds(states: Sequence[States], cluster: Cluster, plan: Candidate) -> dict[Warmup, float]:
    """
    Seconds of an iteration of the plan, by warm-up policy.

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
    times = PipelineTimes.with_transfers(forward, backward, exposed, transfer)
    found: dict[Warmup, float] = {}
    for policy in get_args(Warmup):
        depths = stage_depths(warmup_depths(policy, len(plan.stages), plan.micro_batches))
        found[policy] = simulated_length(times, plan.micro_batches, depths)
    return found


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
