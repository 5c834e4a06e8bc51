"""
The planner as the DAPPLE paper formulates it (Fan et al., PPoPP 2021, section 4), which its code does not contain.

An iteration is a warm-up, a steady and an ending phase around the pivot stage Q, whose micro-batches follow each other
without bubbles (equations 1 and 2):

    Tw = sum of F_s for s <= Q
    Ts = (M - 1) (F_Q + B_Q)
    Te = max over s of AR_s + (sum of B_a for s <= a <= Q, if s <= Q; else - sum of B_a for Q < a <= s)

Transfers are stages of their own, without all-reduce. Equation 2 sums from Q in the second case; the pivot's backward
pass is what the ending phase begins with, so the sum starts behind it.

Dynamic programming (equations 4 and 5) plans the first j states on m devices; what is left is one stage on the others.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from rammer_ir.planner.cluster import HPGO_POLICIES, Cluster
from rammer_ir.planner.cuts import Indices, cut_states, moved_cuts
from rammer_ir.planner.latency import Candidate, Stage
from rammer_ir.planner.places import Options, Places
from rammer_ir.planner.states import Floats, States

ROWS = 8192
"""Parts that are rated at a time."""
MOST_PARTS = 2**21
"""
Over the cube of the number of devices: parts kept for each number of devices, those of the shortest plans. With up to
sixteen devices, there are hardly ever more.
"""


def phase_length(forward: Floats, backward: Floats, all_reduce: Floats, micro_batches: int) -> Floats:
    """
    Seconds of iterations, of shape [...], from seconds of a micro-batch in each stage, of shape [..., stages].

    Stages of zeros in front do not change it.
    """
    # Stages first: each step takes one stage of all iterations.
    given = forward, backward, all_reduce
    ahead, back, reduced = (np.ascontiguousarray(np.moveaxis(times, -1, 0)) for times in given)
    pivot, busy = _pivots(ahead + back, micro_batches)
    warm, ending, behind = np.zeros((3, *pivot.shape))
    latest = np.full(pivot.shape, -np.inf)
    for stage in range(len(ahead)):
        is_front = pivot >= stage
        warm += ahead[stage] * is_front
        ending += back[stage] * is_front
        # Stages end one after the other, from the last to the first; those behind the pivot before it does.
        before, behind = behind, behind + back[stage]
        latest = np.maximum(latest, reduced[stage] - np.where(is_front, before, behind))
    return warm + (micro_batches - 1) * busy + (latest + ending)


def _pivots(both: Floats, micro_batches: int) -> tuple[Indices, Floats]:
    """
    The pivot stages and their seconds of a micro-batch, from those of all stages, of shape [stages, ...].

    Algorithm 1: from the last stage to the first, a stage becomes the pivot where its steady phase is the longer one.
    The time between it and the pivot so far is filled by the stages in between (equation 3).
    """
    stages = len(both)
    pivot: Indices = np.full(both.shape[1:], stages - 1, np.intp)
    busy: Floats = both[-1]
    # A sum of what lies between, not a difference of sums: neighbours have nothing between them, without rounding.
    between = np.zeros(both.shape[1:])
    for stage in range(stages - 2, -1, -1):
        own: Floats = both[stage]
        is_longer = (micro_batches - 1) * own > (micro_batches - 1) * busy + between
        pivot = np.where(is_longer, stage, pivot)
        busy = np.where(is_longer, own, busy)
        between = np.where(is_longer, 0.0, between + own)
    return pivot, busy


def _names(kind: "type[_Parts]") -> list[str]:
    return [field.name for field in fields(kind)]


@dataclass(frozen=True, slots=True)
class _Parts:
    """
    Ways to plan a model up to a state, on some number of devices; arrays of shape [N], -1 for the model's start.

    `forward`, `backward` and `all_reduce` hold the times of its stages and transfers, aligned at the end, of shape
    [N, W]. `length` is of the whole plan, with what is left as one stage on the devices left. `level` and `parent`
    say which part it has one stage more than.
    """

    end: Indices
    group: Indices
    length: Floats
    level: Indices
    parent: Indices
    forward: Floats
    backward: Floats
    all_reduce: Floats

    def __len__(self) -> int:
        return len(self.end)

    def taken(self, index: Indices) -> "_Parts":
        return _Parts(*(getattr(self, name)[index] for name in _names(_Parts)))

    @staticmethod
    def joined(parts: "Sequence[_Parts]") -> "_Parts":
        """All parts; times of fewer stages get zeros in front."""
        width = max(part.forward.shape[1] for part in parts)
        scalars = [np.concatenate([getattr(part, name) for part in parts]) for name in _names(_Parts)[:5]]
        times = np.zeros((3, len(scalars[0]), width))
        row = 0
        for part in parts:
            given = part.forward, part.backward, part.all_reduce
            for joined, values in zip(times, given, strict=True):
                joined[row : row + len(part), width - values.shape[1] :] = values
            row += len(part)
        return _Parts(*scalars, *times)


def plan_dapple(states: States, cluster: Cluster, global_batch: int, min_micro_batch: int) -> Candidate:
    """
    The plan of the dynamic program; `states` are scaled to the global batch, which has at least one micro-batch.

    Parts that no plan faster than the fastest so far can begin with are dropped, which does not change the result.
    """
    planner = _Planner(states, cluster, global_batch // min_micro_batch)
    found = planner.run()
    if len(planner.cuts) < len(states):
        found = moved_cuts(states, found, planner.rated)
    return found


class _Planner:
    """The table of the dynamic program: by number of devices, the best part for what is taken and the last state."""

    def __init__(self, states: States, cluster: Cluster, micro_batches: int):
        self.states = states
        self.cluster = cluster
        self.micro_batches = micro_batches
        self.cuts = cut_states(states)
        self.places = Places(cluster, HPGO_POLICIES)
        self.total = float(states.compute[-1])
        self.shortest = math.inf
        self.levels: list[_Parts] = []

    def run(self) -> Candidate:
        size = self.cluster.size
        everything = Stage(0, len(self.states) - 1, size, tuple(range(size)))
        best = self.rated((everything,), 1, self.micro_batches)
        self.shortest = self.total / best.speedup
        start, zero, nothing = np.array([-1], np.intp), np.zeros(1, np.intp), np.zeros((1, 0))
        waiting = {0: [_Parts(start, zero, np.full(1, np.inf), start, start, nothing, nothing, nothing)]}
        for used in range(size - 1):
            self.levels.append(self._best_parts(waiting.pop(used, [])))
            for count, extended in self._extended(used):
                waiting.setdefault(count, []).append(extended)
        last = self._best_parts(waiting.pop(size - 1, []))
        self.levels.append(last)
        level = min(range(1, len(self.levels)), key=lambda n: self._least(self.levels[n]), default=0)
        if self._least(self.levels[level]) < self.total / best.speedup:
            planned = self._stages(level, int(self.levels[level].length.argmin()))
            best = self.rated(planned, 1, self.micro_batches)
        return best

    def _least(self, parts: _Parts) -> float:
        return float(parts.length.min()) if len(parts) else math.inf

    def _best_parts(self, arrived: list[_Parts]) -> _Parts:
        """Of the parts that take the same devices and end at the same state, that of the shortest plan (equation 5)."""
        if not arrived:
            no, nothing = np.zeros(0, np.intp), np.zeros((0, 0))
            return _Parts(no, no, np.zeros(0), no, no, nothing, nothing, nothing)
        merged = _Parts.joined(arrived)
        best = self._best_of_cells(merged)
        best = best[np.argsort(merged.length[best], kind="stable")]
        return merged.taken(best[: max(1, MOST_PARTS // self.cluster.size**3)])

    def _best_of_cells(self, parts: _Parts) -> Indices:
        """Of the parts of each cell, which is what they take and where they end, the first of the shortest."""
        cells = self.places.occupancies(parts.group) * len(self.states) + parts.end
        order = np.lexsort((parts.length, cells))
        return np.sort(order[np.flatnonzero(np.diff(cells[order], prepend=-2))])

    def _extended(self, used: int) -> Iterator[tuple[int, _Parts]]:
        """The parts of a level with one stage more, by the devices that they use."""
        level = self.levels[used]
        if not len(level):
            return
        rows, options = self.places.choices(level.group, self.cluster.size - used - 1)
        begin = level.end[rows]
        row, end = np.nonzero(self._worth(begin, options, used))
        for first in range(0, len(row), ROWS):
            some = row[first : first + ROWS]
            extended = self._behind(level, rows[some], self.cuts[end[first : first + ROWS]], options.taken(some), used)
            kept = self._best_of_cells(extended)
            counts = options.devices[some][kept]
            for count in np.unique(counts).tolist():
                yield used + count, extended.taken(kept[counts == count])

    def _worth(self, begin: Indices, options: Options, used: int) -> NDArray[np.bool_]:
        """
        Which options can lead to a faster plan than the fastest so far, with a stage up to each cut.

        The steady phase of every stage but one micro-batch is a lower bound on the iteration, whichever is the pivot.
        """
        ends = self.cuts[:-1]
        share = (self.micro_batches - 1) / self.micro_batches
        before = np.where(begin >= 0, self.states.compute[begin], 0.0)
        stage = (self.states.compute[None, ends] - before[:, None]) / options.devices[:, None]
        left = self.cluster.size - used - options.devices
        rest = (self.total - self.states.compute[None, ends]) / left[:, None]
        follows = np.where((begin >= 0)[:, None], self.states.precedes[np.ix_(ends, begin)].T, True)
        return follows & (np.maximum(stage, rest) * share < self.shortest)

    def _behind(self, level: _Parts, rows: Indices, ends: Indices, options: Options, used: int) -> _Parts:
        """Parts with a stage more, up to the states `ends`, and the length of the plans that they begin."""
        outputs = self.states.outputs / self.micro_batches
        begin = level.end[rows]
        no = np.zeros(len(rows))
        given = np.where(begin >= 0, options.transfer * outputs[begin], 0.0)
        stage = self._stage_times(begin, ends, options.devices, options.all_reduce)
        devices, all_reduce, transfer = self.places.closings(options.group)
        cut = transfer * outputs[ends]
        closing = self._stage_times(ends, np.full(len(ends), len(self.states) - 1), devices, all_reduce)
        forward, backward, reduced = (
            np.column_stack([getattr(level, name)[rows], *columns])
            for name, *columns in zip(
                _names(_Parts)[5:], (given, given, no), stage, (cut, cut, no), closing, strict=True
            )
        )
        lengths = phase_length(forward, backward, reduced, self.micro_batches)
        self.shortest = min(self.shortest, float(lengths.min()))
        times = (forward[:, :-2], backward[:, :-2], reduced[:, :-2])
        return _Parts(ends, options.group, lengths, np.full(len(rows), used), rows, *times)

    def _stages(self, level: int, index: int) -> tuple[Stage, ...]:
        """The stages of a part, found backwards, and the one that closes the pipeline."""
        parts = self.levels[level]
        rest = self.places.rest(int(parts.group[index]))
        stages = [Stage(int(parts.end[index]) + 1, len(self.states) - 1, len(rest), rest)]
        while level:
            parts = self.levels[level]
            devices = self.places.last(int(parts.group[index]))
            end, level, index = int(parts.end[index]), int(parts.level[index]), int(parts.parent[index])
            stages.append(Stage(int(self.levels[level].end[index]) + 1, end, len(devices), devices))
        return tuple(stages[::-1])

    def _stage_times(
        self, before: Indices, end: Indices, devices: Indices, all_reduce: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Forward and backward seconds of a micro-batch and of the all-reduce, for stages behind states (-1: none)."""
        compute, forward, parameters = (
            values[end] - np.where(before >= 0, values[before], 0.0)
            for values in (self.states.compute, self.states.forward, self.states.parameters)
        )
        share = devices * self.micro_batches
        return forward / share, (compute - forward) / share, parameters * all_reduce

    def rated(self, stages: tuple[Stage, ...], pipelines: int, micro_batches: int) -> Candidate:
        """The plan with its speedup by the length of its phases."""
        columns: list[tuple[Floats, Floats, Floats]] = []
        for index, stage in enumerate(stages):
            if index:
                per_byte = self.cluster.transfer(stages[index - 1].devices, stage.devices)
                cut = np.full(1, per_byte * self.states.outputs[stage.first - 1] / micro_batches)
                columns.append((cut, cut, np.zeros(1)))
            ends = np.array([stage.first - 1]), np.array([stage.last])
            reduce = np.array([self.cluster.all_reduce(stage.devices)])
            columns.append(self._stage_times(*ends, np.array([len(stage.devices)]), reduce))
        forward, backward, reduced = (np.concatenate(values) for values in zip(*columns, strict=True))
        length = float(phase_length(forward, backward, reduced, micro_batches))
        return Candidate(self.total / length, stages, pipelines, micro_batches)
