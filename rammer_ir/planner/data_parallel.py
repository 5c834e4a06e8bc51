"""
Speedups of plain data parallelism, as HPGO estimates them: without overlap, with P3, and with normal overlap.

Gradients are all-reduced layer by layer while the backward pass goes on (normal overlap), and also while the next
iteration's forward pass goes on (P3, Jayarajan et al., MLSys 2019).
"""

import math
from dataclasses import dataclass

import numpy as np

from rammer_ir.planner.cluster import Cluster
from rammer_ir.planner.states import States


@dataclass(frozen=True, slots=True)
class DataParallel:
    """Speedups over one device; None where the model does not fit into a device at any batch size."""

    none: float
    p3: float | None
    overlap: float | None


def data_parallel(
    states: States, cluster: Cluster, global_batch: int, peak_activation: float, memory: float, optimizer_scaling: float
) -> DataParallel:
    """
    The speedups of all devices working on parts of the global batch, which `states` are scaled to.

    `peak_activation` is bytes a sample, `memory` bytes a device.
    """
    total = float(states.compute[-1])
    per_byte = cluster.all_reduce(range(cluster.size))
    none = total / (total / cluster.size + per_byte * float(states.parameters[-1]))
    room = (
        (memory - float(states.parameters[-1]) * optimizer_scaling) / peak_activation if peak_activation else math.inf
    )
    share = global_batch // cluster.size
    if room < 1 or share < 1:
        return DataParallel(none, None, None)
    partial = _iteration_batch(share, room) / global_batch
    layers = np.diff(states.compute, prepend=0.0) * partial / 2
    reductions = per_byte * np.diff(states.parameters, prepend=0.0)
    p3, overlap = (
        total / (total / cluster.size + _exposed(layers.tolist(), reductions.tolist(), next_forward=next_forward))
        for next_forward in (True, False)
    )
    return DataParallel(none, p3, overlap)


def _iteration_batch(share: int, room: float) -> int:
    """Samples of a device at a time: all of its share, or a fitting fraction, over which gradients are summed."""
    largest = share if room >= share else int(room)
    if largest >= share:
        return share
    iterations = -(-share // largest)
    while iterations < share // 2 + 1 and share % iterations != 0:
        iterations += 1
    return share // iterations


def _exposed(layers: list[float], reductions: list[float], *, next_forward: bool) -> float:
    """
    Seconds of all-reduce that computation does not hide.

    `layers` is half of each layer's compute seconds (its backward pass), `reductions` its all-reduce. Index 0 of the
    reversed order is the last layer, whose gradients are ready first; HPGO reads the forward times in that order
    without reversing them, which is kept so that the numbers are the same.
    """
    backward = layers[::-1]
    waiting = reductions[::-1]
    exposed = waiting[-1]
    slack = 0.0
    for index in range(len(layers) - 2, -1, -1):
        slot = backward[index + 1] + (layers[index + 1] if next_forward else 0.0)
        missing = waiting[index] - slot
        if missing <= 0:
            slack -= missing
        elif missing < slack:
            slack -= missing
        else:
            exposed += missing - slack
            slack = 0.0
    return exposed
