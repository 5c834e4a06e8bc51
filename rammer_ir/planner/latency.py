"""
HPGO's estimate of a synchronous pipeline's iteration time.

With M micro-batches, bottleneck b a micro-batch (the slowest stage or transfer) and total compute T,

    length = b (M - 1) + T / (pipelines M) + transfers of one micro-batch + the all-reduce that later stages do not
    hide,

where the all-reduce of stage x is hidden for x b seconds, because earlier stages have as many backward passes to go.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rammer_ir.planner.cluster import Cluster, Devices
from rammer_ir.planner.states import States


@dataclass(frozen=True, slots=True)
class Stage:
    """
    States first to last (both included) of the model on some devices.

    `replicas` is of one pipeline; with several pipelines, `devices` holds those of all. With `recompute`, only the
    input of a micro-batch is kept for the backward pass, which computes the forward pass again.
    """

    first: int
    last: int
    replicas: int
    devices: Devices
    recompute: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan with its speedup over one device."""

    speedup: float
    stages: tuple[Stage, ...]
    pipelines: int
    micro_batches: int


def stage_compute(states: States, first: int, last: int) -> float:
    """Forward and backward seconds of the states for the whole batch on one device."""
    return float(states.compute[last] - (states.compute[first - 1] if first else 0.0))


def stage_parameters(states: States, first: int, last: int) -> float:
    """
    Bytes that HPGO all-reduces for a stage.

    Its stages but the last end one state later here than for computing, which counts a boundary layer twice.
    """
    end = min(last + 1, len(states) - 1)
    return float(states.parameters[end] - (states.parameters[first - 1] if first else 0.0))


def pipeline_length(
    states: States,
    cluster: Cluster,
    stages: tuple[Stage, ...],
    *,
    pipelines: int,
    micro_batches: int,
    bottleneck: float | None = None,
) -> float:
    """
    Seconds of an iteration; `states` are scaled to the global batch.

    `bottleneck` is seconds for the whole batch and, unless given, the slowest stage or transfer; a transfer counts in
    one direction, because gradients travel in the other one at the same time.
    """
    cuts = list(pairwise(stages))
    transfers = [cluster.transfer(a.devices, b.devices) * float(states.outputs[a.last]) for a, b in cuts]
    again = [recomputed(states, stage) for stage in stages]
    if bottleneck is None:
        works = [
            (stage_compute(states, stage.first, stage.last) + extra) / len(stage.devices)
            for stage, extra in zip(stages, again, strict=True)
        ]
        bottleneck = max(*works, *transfers) if transfers else works[0]
    block = bottleneck / micro_batches
    samples = pipelines * micro_batches
    reductions = np.array(
        [cluster.all_reduce(s.devices) * stage_parameters(states, s.first, s.last) for s in stages]
    ) - block * np.arange(len(stages))
    fill = (float(states.compute[-1]) + sum(again) + sum(transfers)) / samples
    return block * (micro_batches - 1) + fill + max(0.0, float(reductions.max()))


def recomputed(states: States, stage: Stage) -> float:
    """Seconds of forward passes that a stage computes again, for the whole batch on one device."""
    if not stage.recompute:
        return 0.0
    return float(states.forward[stage.last] - (states.forward[stage.first - 1] if stage.first else 0.0))
