"""
The planner's own search: stages of any number and any replica counts, under HPGO's estimate.

Pipelines are built stage by stage from the front, all of the same number of devices at a time. A partial pipeline has a
lower bound on every plan that it can become, and is dropped where the best plan so far is no slower. Where no more than
`width` partial pipelines are left for each number of devices, no better plan exists; otherwise the most promising ones
of different forms are kept.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rammer_ir.planner.cluster import POLICIES
from rammer_ir.planner.cuts import Indices, cut_states, moved_cuts
from rammer_ir.planner.latency import Candidate, Stage
from rammer_ir.planner.places import Options, Places
from rammer_ir.planner.problem import Problem
from rammer_ir.planner.states import Floats

WIDTHS = (24, 256)
"""Partial pipelines kept for each number of devices: first few, to have a good plan early, and then more."""
BUDGET = 1.5e7
"""
Lengths of stages that are tried: what bounds the time of a search. A call of NumPy counts as OVERHEAD of them.
"""
OVERHEAD = 5e3
ROWS = 64
"""Partial pipelines that are extended at a time."""


@dataclass(frozen=True, slots=True)
class Found:
    """The best plan, or None where none fits; whether every other one was ruled out."""

    candidate: Candidate | None
    proved: bool


@dataclass(slots=True)
class Budget:
    """What is left of the work that a search may do."""

    left: float = BUDGET


def plan_best(problem: Problem, start: Candidate | None, *, budget: float = BUDGET) -> Found:
    """The fastest plan that fits, never slower than `start` where that fits."""
    best: Candidate | None = None
    if start is not None and start.micro_batches > 0:
        best = problem.rated(start.stages, start.pipelines, start.micro_batches)
    cuts = cut_states(problem.states)
    places, left = Places(problem.cluster, POLICIES), Budget(budget)
    open_shapes = sorted((_shape_bound(problem, *shape), shape) for shape in problem.shapes())
    for width in WIDTHS:
        unproved: list[tuple[float, tuple[int, int]]] = []
        for bound, shape in open_shapes:
            if best is not None and float(problem.states.compute[-1]) / best.speedup <= bound:
                break
            search = _Search(problem, places, cuts, *shape, best, width, left)
            best = search.run()
            if not search.complete:
                unproved.append((bound, shape))
        open_shapes = unproved
    if best is not None and len(cuts) < len(problem.states):
        best = moved_cuts(problem.states, best, problem.rated)
    return Found(best, not open_shapes and len(cuts) == len(problem.states))


def _shape_bound(problem: Problem, pipelines: int, micro_batches: int) -> float:
    """Seconds that no plan of the shape is faster than: balanced stages, free transfers."""
    total = float(problem.states.compute[-1])
    used = problem.cluster.size // pipelines * pipelines
    return total / used * (micro_batches - 1) / micro_batches + total / (pipelines * micro_batches)


def _names(kind: "type[_Partial]") -> list[str]:
    return [field.name for field in fields(kind)]


@dataclass(frozen=True, slots=True)
class _Partial:
    """
    Some partial pipelines that use the same number of devices, of shape [N].

    `end` is the position of the last cut, -1 for none; `bottleneck` seconds of the batch; `transfer` seconds of the
    batch over all cuts; `exposed` a lower bound on the all-reduce that stays visible; `bound` one on the iteration.
    """

    end: Indices
    stages: Indices
    bottleneck: Floats
    transfer: Floats
    extra: Floats
    exposed: Floats
    group: Indices
    bound: Floats
    parent: Indices

    def __len__(self) -> int:
        return len(self.end)

    def taken(self, index: Indices) -> "_Partial":
        return _Partial(*(getattr(self, name)[index] for name in _names(_Partial)))


class _Search:
    """The search for one number of pipelines and micro-batches."""

    def __init__(
        self,
        problem: Problem,
        places: Places,
        cuts: Indices,
        pipelines: int,
        micro_batches: int,
        best: Candidate | None,
        width: int,
        budget: Budget,
    ):
        self.problem = problem
        self.places = places
        self.budget = budget
        self.pipelines = pipelines
        self.micro_batches = micro_batches
        self.best = best
        self.width = width
        self.complete = True
        self.per_pipeline = problem.cluster.size // pipelines
        states = problem.states
        self.cuts = cuts
        self.total = float(states.compute[-1])
        self.compute = np.append(states.compute[cuts], 0.0)
        self.forward = np.append(states.forward[cuts], 0.0)
        self.activations = np.append(states.activations[cuts], 0.0)
        self.parameters = np.append(states.parameters[cuts], 0.0)
        ends = np.minimum(cuts + 1, len(states) - 1)
        self.reduced = states.parameters[ends]
        self.outputs = np.append(states.outputs[cuts], 0.0)
        # Row -1 is the model's start, which precedes every state.
        follows = states.precedes[np.ix_(cuts, cuts)].T
        self.follows = np.concatenate([follows, np.ones((1, len(cuts)), np.bool_)])

    @property
    def samples(self) -> int:
        return self.pipelines * self.micro_batches

    @property
    def incumbent(self) -> float:
        """Seconds of the best plan so far."""
        return math.inf if self.best is None else self.total / self.best.speedup

    @cached_property
    def largest_block(self) -> float:
        """Seconds that no micro-batch of a plan that is worth finding keeps a stage busy."""
        slowest = self.total + float(self.problem.states.forward[-1])
        slowest = max(slowest, float(self.outputs.max()) / min(self.problem.cluster.p2p, self.problem.cluster.nccl))
        if self.micro_batches == 1:
            return slowest
        return min(slowest, self.incumbent * self.micro_batches / (self.micro_batches - 1)) / self.micro_batches

    def run(self) -> Candidate | None:
        nothing, zero = np.array([0], np.intp), np.zeros(1)
        start = _Partial(nothing - 1, nothing, zero, zero, zero, zero, nothing, zero, nothing)
        levels = [start]
        waiting: dict[int, list[_Partial]] = {}
        for used in range(self.per_pipeline):
            if used:
                levels.append(self._kept(waiting.pop(used, [])))
            for begin in range(0, len(levels[used]), ROWS):
                for count, extended in self._extended(levels, used, begin):
                    waiting.setdefault(count, []).append(extended)
        return self.best

    def _kept(self, arrived: list[_Partial]) -> _Partial:
        """What is still worth extending, at most `width`: of each form the best, and then the best of all."""
        if not arrived:
            no, none = np.zeros(0, np.intp), np.zeros(0)
            return _Partial(no, no, none, none, none, none, no, none, no)
        merged = _Partial(*(np.concatenate([getattr(part, name) for part in arrived]) for name in _names(_Partial)))
        order = np.argsort(merged.bound, kind="stable")
        merged = merged.taken(order[merged.bound[order] < self.incumbent])
        if len(merged) <= self.width:
            return merged
        self.complete = False
        forms = np.stack([merged.end, merged.group])
        _, firsts = np.unique(forms, axis=1, return_index=True)
        return merged.taken(np.sort(firsts)[: self.width])

    def _extended(self, levels: list[_Partial], used: int, begin: int) -> Iterator[tuple[int, _Partial]]:
        """Some partial pipelines with a stage more, by the devices that they use; complete ones become plans."""
        level = levels[used]
        devices = (self.per_pipeline - used) * self.pipelines
        rows, options = self.places.choices(level.group[begin : begin + ROWS], devices, self.pipelines)
        members = rows + begin
        self.budget.left -= len(members) * len(self.cuts) + OVERHEAD
        if self.budget.left < 0:
            self.complete = False
            return
        extended, counts = self._stages_behind(level, members, options)
        closing = extended.end == len(self.cuts) - 1
        self._complete(levels, used, extended.taken(np.flatnonzero(closing)))
        going = np.flatnonzero(~closing)
        for count in np.unique(counts[going]).tolist():
            yield used + count, extended.taken(going[counts[going] == count])

    def _stages_behind(self, level: _Partial, members: Indices, options: Options) -> tuple[_Partial, Indices]:
        """
        The members with one stage more, of each length that is worth it, and the replicas of that stage.

        What is two-dimensional has a row for each member with an option, and a column for each state to end at.
        """
        begin = level.end[members]
        again, fits = self._recomputed(begin, options.devices)
        transfer = options.transfer * self.outputs[begin]
        work = (self.compute[None, :-1] - self.compute[begin, None] + again) / options.devices[:, None]
        bottleneck = np.maximum(work, np.maximum(level.bottleneck[members], transfer)[:, None])
        reduced = options.all_reduce[:, None] * (self.reduced[None, :] - self.parameters[begin, None])
        hidden = level.stages[members] * self.largest_block
        exposed = np.maximum(level.exposed[members, None], reduced - hidden[:, None])
        extra = level.extra[members, None] + again
        transfers = level.transfer[members] + transfer
        left = self.per_pipeline * self.pipelines - options.used
        rest = (self.total - self.compute[None, :-1]) / np.maximum(left, 1)[:, None]
        share = (self.micro_batches - 1) / self.micro_batches
        fill = (self.total + transfers[:, None] + extra) / self.samples
        bound = np.maximum(bottleneck, rest) * share + fill + exposed
        worth = fits & self.follows[begin] & (bound < self.incumbent)
        worth &= (level.stages[members] < self.micro_batches)[:, None]
        worth[left == 0, :-1] = False
        row, end = np.nonzero(worth)
        extended = _Partial(
            end,
            level.stages[members[row]] + 1,
            bottleneck[row, end],
            transfers[row],
            extra[row, end],
            exposed[row, end],
            options.group[row],
            bound[row, end],
            members[row],
        )
        return extended, options.devices[row] // self.pipelines

    def _recomputed(self, begin: Indices, devices: Indices) -> tuple[Floats, NDArray[np.bool_]]:
        """
        Seconds of forward passes to compute again in stages from each begin to each end, and which stages fit at all.

        At least one more micro-batch is counted for stages that others follow.
        """
        memory = self.problem.memory
        if math.isinf(memory.limit):
            return np.zeros((len(begin), len(self.cuts))), np.ones((len(begin), len(self.cuts)), np.bool_)
        samples = np.ceil(self.problem.global_batch / self.micro_batches / devices - 1e-9)[:, None]
        total = float(self.problem.states.activations[-1])
        scale = memory.peak_activation / total * samples if total else 0.0
        full = (self.activations[None, :-1] - self.activations[begin, None]) * scale
        weights = (self.parameters[None, :-1] - self.parameters[begin, None]) * memory.optimizer_scaling
        in_flight = np.full(len(self.cuts), min(2, self.micro_batches))
        in_flight[-1] = 1
        given = self.outputs[begin, None] / self.problem.global_batch * samples
        again = np.broadcast_to(self.forward[None, :-1] - self.forward[begin, None], full.shape)
        easy = weights + in_flight * full <= memory.limit
        return np.where(easy, 0.0, again), easy | (weights + in_flight * given + full <= memory.limit)

    def _complete(self, levels: list[_Partial], used: int, closing: _Partial) -> None:
        """Rates the plans that are complete, the most promising first."""
        for index in np.argsort(closing.bound, kind="stable").tolist():
            if closing.bound[index] >= self.incumbent:
                return
            stages = self._stages(levels, used, closing, index)
            rated = self.problem.rated(stages, self.pipelines, self.micro_batches)
            if rated is not None and (self.best is None or rated.speedup > self.best.speedup):
                self.best = rated

    def _stages(self, levels: list[_Partial], used: int, closing: _Partial, index: int) -> tuple[Stage, ...]:
        """The stages that a complete pipeline went through, found backwards."""
        stages: list[Stage] = []
        level, position = closing, index
        while True:
            end = int(self.cuts[level.end[position]])
            devices = self.places.last(int(level.group[position]))
            level, position = levels[used], int(level.parent[position])
            first = int(self.cuts[level.end[position]]) + 1 if used else 0
            stages.append(Stage(first, end, len(devices) // self.pipelines, devices))
            if not used:
                return tuple(stages[::-1])
            used -= len(self.places.last(int(level.group[position]))) // self.pipelines
