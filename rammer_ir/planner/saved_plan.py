"""Plans as `rammer plan --json` writes them, read back to be run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast, get_args

from rammer_ir.errors import InvalidInputError
from rammer_ir.planner.latency import Stage
from rammer_ir.planner.simulator import Warmup


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """
    What running a plan needs of it; `states` are the names of the model's states.

    `seconds` is what an iteration should take by warm-up policy; stages begin to receive one pass ahead of the one that
    needs it where `receives_ahead`, and otherwise with it.
    """

    stages: tuple[Stage, ...]
    pipelines: int
    micro_batches: int
    global_batch: int
    states: tuple[str, ...]
    seconds: dict[Warmup, float]
    receives_ahead: bool

    @property
    def ranks(self) -> int:
        """How many processes run the plan: those without a stage are idle."""
        return 1 + max(device for stage in self.stages for device in stage.devices)


def load_plan(path: str | Path) -> SavedPlan:
    """
    The plan in a file.

    Raises OSError, and InvalidInputError where the file is not a plan or its parts do not fit together.
    """
    try:
        given: object = json.loads(Path(path).read_text(encoding="utf-8"))
        plan = _plan(cast("Mapping[str, Any]", given))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInputError(f"not a plan of `rammer plan --json`: {error!r}", location=str(path)) from error
    problem = _problem(plan)
    if problem is not None:
        raise InvalidInputError(f"not a plan that can be run: {problem}", location=str(path))
    return plan


def _plan(given: Mapping[str, Any]) -> SavedPlan:
    stages = tuple(
        Stage(
            int(stage["first"]),
            int(stage["last"]),
            int(stage["replicas"]),
            tuple(int(device) for device in stage["devices"]),
            bool(stage.get("recompute", False)),
        )
        for stage in given["stages"]
    )
    return SavedPlan(
        stages,
        int(given["pipelines"]),
        int(given["micro_batches"]),
        int(given["global_batch"]),
        tuple(str(name) for name in given["states"]),
        {policy: float(given["estimate"]["run_seconds"][policy]) for policy in get_args(Warmup)},
        bool(given["estimate"]["receives_ahead"]),
    )


def _problem(plan: SavedPlan) -> str | None:
    """What is wrong with the plan."""
    devices = [device for stage in plan.stages for device in stage.devices]
    ends = [-1, *(stage.last for stage in plan.stages)]
    firsts = [*(stage.first for stage in plan.stages), len(plan.states)]
    if not plan.stages or len(set(devices)) != len(devices) or min(devices, default=-1) < 0:
        return "every stage has devices of its own"
    if any(end + 1 != first for end, first in zip(ends, firsts, strict=True)) or any(
        before >= behind for before, behind in pairwise(ends)
    ):
        return f"its stages do not hold the {len(plan.states)} states in order"
    if any(len(stage.devices) != stage.replicas * plan.pipelines for stage in plan.stages):
        return "a stage has a device for each replica in each pipeline"
    if min(plan.pipelines, plan.micro_batches) < 1 or plan.global_batch < plan.pipelines * plan.micro_batches:
        return f"a batch of {plan.global_batch} has no {plan.pipelines} x {plan.micro_batches} micro-batches"
    return None
