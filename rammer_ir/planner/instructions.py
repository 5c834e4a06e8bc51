"""
From a plan to what each rank does: a program of the `pipeline_parallel` dialect with early backward scheduling.

Micro-batches are split over the replicas of a stage, row by row (split-concat); where a micro-batch has fewer rows than
the stage has replicas, its rows go to them in turn. Receives begin with the pass that needs them, or one pass ahead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp, NameLoc, StringAttr, UnknownLoc
from xdsl.ir import Block, Operation, Region

from rammer_ir.dialects.pipeline_parallel import (
    AllReduceOp,
    BackwardOp,
    ForwardOp,
    Payload,
    ProgramOp,
    RankOp,
    ReceiveOp,
    SendOp,
    StageOp,
)
from rammer_ir.locations import set_location
from rammer_ir.planner.saved_plan import SavedPlan
from rammer_ir.planner.simulator import Warmup, warmup_depths

Rows = tuple[int, int]


def split_rows(rows: Rows, parts: int) -> list[Rows]:
    """The rows of each of `parts` replicas; empty ranges where there are fewer rows than replicas."""
    first, end = rows
    count = end - first
    if count >= parts:
        return [(first + count * part // parts, first + count * (part + 1) // parts) for part in range(parts)]
    owned = {row % parts: (row, row + 1) for row in range(first, end)}
    return [owned.get(part, (first, first)) for part in range(parts)]


def plan_program(plan: SavedPlan, warmup: Warmup = "A", depth: int | None = None) -> ModuleOp:
    """
    The program of a plan, verified.

    `warmup` and `depth` say how many forward passes a stage runs first, see `warmup_depths`.
    """
    depths = warmup_depths(warmup, len(plan.stages), plan.micro_batches, depth)
    ops: list[Operation] = []
    for number, stage in enumerate(plan.stages):
        ops.append(StageOp(number, (stage.first, stage.last), stage.devices, recompute=stage.recompute))
        set_location(ops[-1], _location(plan, number))
    for number, stage in enumerate(plan.stages):
        for index, device in enumerate(stage.devices):
            body = list(_Rank(plan, number, index, depths[number]).instructions())
            ops.append(RankOp(device, number, Region(Block(body))))
            set_location(ops[-1], _location(plan, number))
    program = ProgramOp("train", plan.global_batch, Region(Block(ops)))
    set_location(program, NameLoc(StringAttr("plan"), UnknownLoc()))
    module = ModuleOp([program])
    module.verify()
    return module


def _location(plan: SavedPlan, number: int) -> NameLoc:
    stage = plan.stages[number]
    return NameLoc(StringAttr(f"{plan.states[stage.first]} … {plan.states[stage.last]}"), UnknownLoc())


@dataclass(frozen=True, slots=True)
class _Pass:
    """A pass of a micro-batch, by number in the global batch."""

    forward: bool
    micro_batch: int
    rows: Rows


@dataclass(frozen=True, slots=True)
class _Rank:
    """The `index`-th device of a stage, which runs `depth` forward passes first."""

    plan: SavedPlan
    stage: int
    index: int
    depth: int

    @property
    def pipeline(self) -> int:
        return self.index // self.plan.stages[self.stage].replicas

    def instructions(self) -> Iterator[Operation]:
        passes = [found for found in self._passes() if found.rows[0] < found.rows[1]]
        ahead = int(self.plan.receives_ahead)
        for current, following in zip([None] * ahead + passes, passes + [None] * ahead, strict=True):
            if following is not None:
                yield from self._receives(following)
            if current is not None:
                kind = ForwardOp if current.forward else BackwardOp
                yield kind(current.micro_batch, current.rows)
                yield from self._sends(current)
        if len(self.plan.stages[self.stage].devices) > 1:
            yield AllReduceOp()

    def _passes(self) -> Iterator[_Pass]:
        """Forward passes to warm up, then a backward and a forward pass in turn."""
        count = self.plan.micro_batches
        for step in range(1 - self.depth, count):
            if step + self.depth - 1 < count:
                yield self._pass(forward=True, number=step + self.depth - 1)
            if step >= 0:
                yield self._pass(forward=False, number=step)

    def _pass(self, *, forward: bool, number: int) -> _Pass:
        micro_batch = self.pipeline * self.plan.micro_batches + number
        replica = self.index % self.plan.stages[self.stage].replicas
        return _Pass(forward, micro_batch, self._rows(self.stage, micro_batch)[replica])

    def _rows(self, stage: int, micro_batch: int) -> list[Rows]:
        """The rows of a micro-batch that each replica of a stage computes."""
        count = self.plan.pipelines * self.plan.micro_batches
        whole = (micro_batch * self.plan.global_batch // count, (micro_batch + 1) * self.plan.global_batch // count)
        return split_rows(whole, self.plan.stages[stage].replicas)

    def _receives(self, needed: _Pass) -> Iterator[Operation]:
        payload, source = (Payload.ACTIVATION, -1) if needed.forward else (Payload.GRADIENT, 1)
        for peer, rows in self._shared(needed, self.stage + source):
            yield ReceiveOp(payload, needed.micro_batch, rows, peer)

    def _sends(self, made: _Pass) -> Iterator[Operation]:
        payload, target = (Payload.ACTIVATION, 1) if made.forward else (Payload.GRADIENT, -1)
        for peer, rows in self._shared(made, self.stage + target):
            yield SendOp(payload, made.micro_batch, rows, peer)

    def _shared(self, made: _Pass, stage: int) -> Iterator[tuple[int, Rows]]:
        """The ranks of another stage that compute some of the same rows, with those rows."""
        if not 0 <= stage < len(self.plan.stages):
            return
        replicas = self.plan.stages[stage].replicas
        devices: Sequence[int] = self.plan.stages[stage].devices[self.pipeline * replicas :]
        for device, (first, end) in zip(devices, self._rows(stage, made.micro_batch), strict=False):
            rows = max(first, made.rows[0]), min(end, made.rows[1])
            if rows[0] < rows[1]:
                yield device, rows
