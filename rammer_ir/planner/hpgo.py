"""
The search that HPGO 0.9.2 ships.

Its table over states, devices and occupied sets always ends in one of these, so that they are computed directly: one
stage on i devices of each of G / i pipelines, two stages on half of the devices each, as many stages as devices, or any
two stages. Where the original breaks ties by the order of a hash table, the best plan among the ties is taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rammer_ir.planner.cluster import Cluster, Devices, Occupancy
from rammer_ir.planner.latency import Candidate, Stage, pipeline_length
from rammer_ir.planner.states import Floats, States


def plan_hpgo(states: States, cluster: Cluster, global_batch: int, min_micro_batch: int) -> Candidate:
    """The fastest of HPGO's candidates; `states` are scaled to the global batch."""
    return max(hpgo_candidates(states, cluster, global_batch, min_micro_batch), key=lambda plan: plan.speedup)


def hpgo_candidates(states: States, cluster: Cluster, global_batch: int, min_micro_batch: int) -> Iterator[Candidate]:
    """HPGO's candidates; on one device, where the original fails, the only plan that there is."""
    problem = _Problem(states, cluster, global_batch, min_micro_batch)
    for replicas in range(min(2, cluster.size), cluster.size + 1):
        yield _one_stage(problem, replicas)
    if cluster.size > 2 and cluster.size % 2 == 0:
        yield from _halves(problem)
    if 2 <= cluster.size <= len(states):
        yield from _straight(problem)
    if len(states) > 1:
        yield from _two_stages(problem)


@dataclass(frozen=True, slots=True)
class _Problem:
    states: States
    cluster: Cluster
    global_batch: int
    min_micro_batch: int

    def micro_batches(self, pipelines: int) -> int:
        return self.global_batch // pipelines // self.min_micro_batch

    def rate(self, stages: tuple[Stage, ...], pipelines: int, bottleneck: float) -> Candidate:
        micro_batches = self.micro_batches(pipelines)
        if micro_batches == 0:
            return Candidate(0.0, stages, pipelines, 0)
        length = pipeline_length(
            self.states,
            self.cluster,
            stages,
            pipelines=pipelines,
            micro_batches=micro_batches,
            bottleneck=bottleneck,
        )
        return Candidate(float(self.states.compute[-1]) / length, stages, pipelines, micro_batches)


def _one_stage(problem: _Problem, replicas: int) -> Candidate:
    pipelines = problem.cluster.size // replicas
    devices = tuple(range(replicas * pipelines))
    stage = Stage(0, len(problem.states) - 1, replicas, devices)
    return problem.rate((stage,), pipelines, float(problem.states.compute[-1]) / len(devices))


def _halves(problem: _Problem) -> Iterator[Candidate]:
    """Two stages of one replica in each of G / 2 pipelines, cut where the bottleneck is smallest."""
    states, cluster = problem.states, problem.cluster
    half = cluster.size // 2
    halves = tuple(range(half)), tuple(range(half, cluster.size))
    cuts = np.flatnonzero(states.precedes[-1])
    if not len(cuts):
        return
    compute, last = states.compute[cuts], float(states.compute[-1])
    bottlenecks = np.maximum(
        np.maximum(compute, last - compute) / half, 2 * cluster.transfer(*halves) * states.outputs[cuts]
    )
    smallest = float(bottlenecks.min())
    for cut in cuts[bottlenecks == smallest].tolist():
        yield problem.rate(_cut(states, cut, 1, halves), half, smallest)


def _cut(states: States, cut: int, replicas: int | None, devices: tuple[Devices, Devices]) -> tuple[Stage, ...]:
    first, second = devices
    return (
        Stage(0, cut, replicas or len(first), first),
        Stage(cut + 1, len(states) - 1, replicas or len(second), second),
    )


def _two_stages(problem: _Problem) -> Iterator[Candidate]:
    """Every cut, every number of devices in front of it and every placement; the best cut of each."""
    cluster = problem.cluster
    for count in range(1, cluster.size):
        for first, taken in cluster.placements(cluster.empty, count):
            for second, _ in cluster.placements(taken, cluster.size - count):
                yield _best_cut(problem, (first, second))


def _best_cut(problem: _Problem, devices: tuple[Devices, Devices]) -> Candidate:
    states, cluster = problem.states, problem.cluster
    compute, parameters = states.compute[:-1], states.parameters
    total = float(states.compute[-1])
    transfers = cluster.transfer(*devices) * states.outputs[:-1]
    bottlenecks = np.maximum(np.maximum(compute / len(devices[0]), (total - compute) / len(devices[1])), transfers)
    micro_batches = max(problem.micro_batches(1), 1)
    blocks = bottlenecks / micro_batches
    exposed = np.maximum(
        cluster.all_reduce(devices[0]) * parameters[1:],
        cluster.all_reduce(devices[1]) * (parameters[-1] - parameters[:-1]) - blocks,
    )
    lengths = blocks * (micro_batches - 1) + transfers / micro_batches + np.maximum(exposed, 0.0)
    cut = int(lengths.argmin())
    return problem.rate(_cut(states, cut, None, devices), 1, float(bottlenecks[cut]))


_Place = tuple[Occupancy, int]


@dataclass(slots=True)
class _Column:
    """
    Pipelines of some number of stages that end in some placement, for each state that they may end at.

    `bottleneck` and `transfer` are seconds, of shape [L], infinite where there is none; `cut` and `previous` say
    where the last stage begins and which column the rest is of.
    """

    bottleneck: Floats
    transfer: Floats
    cut: NDArray[np.intp]
    previous: NDArray[np.intp]


def _straight(problem: _Problem) -> Iterator[Candidate]:
    """A stage on each device."""
    limit = 2 * float(problem.states.compute[-1]) / problem.cluster.size
    everything = 2 * float(problem.states.compute[-1] + problem.states.outputs.max() / problem.cluster.p2p)
    while True:
        # Only stages and transfers below the limit matter if a plan is found with them: the table stays sparse.
        found = _StraightSearch(problem, limit).run()
        if found is not None:
            yield found
            return
        if limit > everything:
            return
        limit *= 2


class _StraightSearch:
    """The table of HPGO with one device a stage, over stages that take at most `limit` seconds."""

    def __init__(self, problem: _Problem, limit: float):
        states, cluster = problem.states, problem.cluster
        self.problem = problem
        stage, cut = np.nonzero(
            states.precedes
            & (states.compute[:, None] - states.compute[None, :] <= limit)
            & (2 / cluster.nvlink * states.outputs <= limit)
        )
        self.ends, self.starts = np.unique(stage, return_index=True)
        self.cuts = cut
        self.compute = states.compute[stage] - states.compute[cut]
        self.lengths = np.diff(self.starts, append=len(stage))
        self.outputs = states.outputs[cut]
        self.limit = limit

    def run(self) -> Candidate | None:
        cluster, states = self.problem.cluster, self.problem.states
        devices, taken = cluster.placements(cluster.empty, 1)[0]
        first = np.where(states.compute <= self.limit, np.maximum(states.compute, 0.0), np.inf)
        nothing = np.full(len(states), -1, np.intp)
        layers: list[dict[_Place, _Column]] = [
            {(taken, devices[0]): _Column(first, np.zeros(len(states)), nothing, nothing)}
        ]
        for _ in range(cluster.size - 1):
            layers.append(self._next(layers[-1]))
        best = min(layers[-1].items(), key=lambda item: (item[1].bottleneck[-1], item[1].transfer[-1]), default=None)
        if best is None or not best[1].bottleneck[-1] <= self.limit:
            return None
        return self._candidate(layers, best[0])

    def _next(self, columns: dict[_Place, _Column]) -> dict[_Place, _Column]:
        """The pipelines with a stage more."""
        following: dict[_Place, _Column] = {}
        for number, ((taken, device), column) in enumerate(columns.items()):
            for (new,), now in self.problem.cluster.placements(taken, 1):
                extended = self._extend(column, number, self.problem.cluster.transfer((device,), (new,)))
                place = (now, new)
                following[place] = _better(following[place], extended) if place in following else extended
        # HPGO keeps one best pipeline for each set of devices, whichever device its last stage is on.
        for taken in {taken for taken, _ in following}:
            same = [column for (occupied, _), column in following.items() if occupied == taken]
            smallest = np.min([column.bottleneck for column in same], axis=0)
            for column in same:
                column.bottleneck[column.bottleneck > smallest] = np.inf
        return following

    def _extend(self, column: _Column, number: int, per_byte: float) -> _Column:
        size = len(column.bottleneck)
        new = _Column(
            np.full(size, np.inf), np.full(size, np.inf), np.full(size, -1, np.intp), np.full(size, number, np.intp)
        )
        if not len(self.cuts):
            return new
        bottlenecks = np.maximum(np.maximum(column.bottleneck[self.cuts], self.compute), 2 * per_byte * self.outputs)
        smallest = np.minimum.reduceat(bottlenecks, self.starts)
        tied = bottlenecks == np.repeat(smallest, self.lengths)
        transfers = np.where(tied, column.transfer[self.cuts] + per_byte * self.outputs, np.inf)
        least = np.minimum.reduceat(transfers, self.starts)
        chosen = np.flatnonzero(transfers == np.repeat(least, self.lengths))
        new.bottleneck[self.ends] = smallest
        new.transfer[self.ends] = least
        new.cut[self.ends] = self.cuts[chosen[np.searchsorted(chosen, self.starts)]]
        return new

    def _candidate(self, layers: list[dict[_Place, _Column]], place: _Place) -> Candidate:
        end = len(self.problem.states) - 1
        bottleneck = float(layers[-1][place].bottleneck[end])
        stages: list[Stage] = []
        for index in range(len(layers) - 1, -1, -1):
            column = layers[index][place]
            cut = int(column.cut[end])
            stages.append(Stage(cut + 1, end, 1, (place[1],)))
            if index:
                place = list(layers[index - 1])[int(column.previous[end])]
            end = cut
        return self.problem.rate(tuple(stages[::-1]), 1, bottleneck)


def _better(one: _Column, other: _Column) -> _Column:
    """State by state the smaller bottleneck, then the shorter transfers."""
    take = (other.bottleneck < one.bottleneck) | (
        (other.bottleneck == one.bottleneck) & (other.transfer < one.transfer)
    )
    return _Column(
        np.where(take, other.bottleneck, one.bottleneck),
        np.where(take, other.transfer, one.transfer),
        np.where(take, other.cut, one.cut),
        np.where(take, other.previous, one.previous),
    )
