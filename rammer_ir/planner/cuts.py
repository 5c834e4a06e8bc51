"""Which states a pipeline is cut at where a model has too many to try all, and how cuts are moved afterwards."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rammer_ir.planner.latency import Candidate, Stage
from rammer_ir.planner.states import States

Indices = NDArray[np.intp]

MOST_CUTS = 64
NEAREST = 32
"""States that a cut may move to in one step."""


def cut_states(states: States) -> Indices:
    """The states to cut at: all, or of more than MOST_CUTS a chain with little to send, spread over the time."""
    if len(states) <= MOST_CUTS:
        return np.arange(len(states))
    edges = np.linspace(0.0, float(states.compute[-1]), MOST_CUTS)
    last = len(states) - 1
    chain: list[int] = []
    for low, high in pairwise(edges):
        inside = (states.compute > low) & (states.compute <= high)
        inside[last] = False
        if chain:
            inside &= states.precedes[:, chain[-1]]
        choices = np.flatnonzero(inside)
        if len(choices):
            chain.append(int(choices[states.outputs[choices].argmin()]))
    return np.array([*chain, last])


def moved_cuts(
    states: States, plan: Candidate, rate: Callable[[tuple[Stage, ...], int, int], Candidate | None]
) -> Candidate:
    """The plan with its cuts moved, one at a time, as long as `rate` finds that faster."""
    improved = True
    while improved:
        improved = False
        for cut in range(len(plan.stages) - 1):
            for state in _between(states, plan, cut):
                stages = list(plan.stages)
                stages[cut] = replace(stages[cut], last=state)
                stages[cut + 1] = replace(stages[cut + 1], first=state + 1)
                moved = rate(tuple(stages), plan.pipelines, plan.micro_batches)
                if moved is not None and moved.speedup > plan.speedup * (1 + 1e-12):
                    plan, improved = moved, True
    return plan


def _between(states: States, plan: Candidate, cut: int) -> list[int]:
    """The states near a cut that it may move to: after the cut in front of it and before the one behind it."""
    stage, following = plan.stages[cut], plan.stages[cut + 1]
    allowed = states.precedes[following.last].copy()
    if stage.first:
        allowed &= states.precedes[:, stage.first - 1]
    choices = np.flatnonzero(allowed)
    near = np.abs(states.compute[choices] - states.compute[stage.last]).argsort(kind="stable")
    return [int(state) for state in choices[near[:NEAREST]] if state != stage.last]
