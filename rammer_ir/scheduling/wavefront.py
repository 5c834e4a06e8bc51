"""Waves: what depends on nothing in its wave may run at the same time (Rammer, OSDI'20, section 3.3)."""

from collections.abc import Sequence

import numpy as np

from rammer_ir.scheduling.dependencies import dependencies, levels
from rammer_ir.scheduling.schedule import Access


def wave_numbers(nodes: Sequence[Sequence[Access]]) -> list[int]:
    """
    The earliest wave of each node, given what it accesses in text order.

    A node is in a later wave than every node before it with which it conflicts. Destination-passing chains cost
    nothing: nodes that write disjoint boxes of one memory do not conflict.
    """
    return levels(dependencies(nodes))


def balanced_offsets(tasks: Sequence[int], costs: Sequence[float], veus: int) -> list[int]:
    """
    For each dispatch of one wave, the vEU on which its first task runs; the others follow in turn.

    Dispatches with dear tasks choose first. Each takes the vEUs, one after another, that have least to do.
    """
    load = np.zeros(veus)
    offsets = [0] * len(tasks)
    for number in sorted(range(len(tasks)), key=lambda k: -costs[k]):
        rest = tasks[number] % veus
        offset = _least_loaded(load, rest or veus)
        offsets[number] = offset
        load += (tasks[number] // veus) * costs[number]
        load[(offset + np.arange(rest)) % veus] += costs[number]
    return offsets


def _least_loaded(load: "np.ndarray[tuple[int], np.dtype[np.float64]]", width: int) -> int:
    """Where `width` neighbours, around the end, have the smallest greatest load; of those, where they have least."""
    ring = np.concatenate([load, load[: width - 1]])
    windows = np.lib.stride_tricks.sliding_window_view(ring, width)
    return int(np.lexsort((windows.sum(axis=1), windows.max(axis=1)))[0])
