"""Plans, and the JSON that they are kept in."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from rammer_ir.errors import InvalidInputError
from rammer_ir.planner.data_parallel import DataParallel
from rammer_ir.planner.latency import Stage
from rammer_ir.planner.simulator import PipelineTimes, Warmup


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    Seconds that a plan is expected to take.

    `seconds` is of an iteration by the policy's own estimate, `simulated_seconds` by the simulator with warm-up
    policy A, `run_seconds` as `rammer train-plan` runs it, by warm-up policy; there, stages begin to receive one pass
    ahead where `receives_ahead`. `forward` and `backward` are of a
    micro-batch in each stage, `all_reduce` of each stage's gradients, `transfer` of a micro-batch over each cut, in one
    direction.
    """

    seconds: float
    simulated_seconds: float
    run_seconds: dict[Warmup, float]
    receives_ahead: bool
    forward: tuple[float, ...]
    backward: tuple[float, ...]
    all_reduce: tuple[float, ...]
    transfer: tuple[float, ...]

    def with_simulated(self, seconds: float) -> "Estimate":
        """The estimate with the simulator's result."""
        return replace(self, simulated_seconds=seconds)

    def pipeline_times(self) -> PipelineTimes:
        """The times with each transfer as a stage between two others."""
        return PipelineTimes.with_transfers(self.forward, self.backward, self.all_reduce, self.transfer)


@dataclass(frozen=True, slots=True)
class Plan:
    """
    How devices share the training of a model.

    The model is cut into `stages`; a global batch is cut into `micro_batches` of `micro_batch` samples for each of
    `pipelines` equal pipelines. `memory` is bytes of a device of each stage. `states` names the model's states.
    `proved_best` says that no other plan of the search space is faster under the estimate.
    """

    policy: str
    speedup: float
    stages: tuple[Stage, ...]
    pipelines: int
    micro_batches: int
    micro_batch: float
    global_batch: int
    data_parallel: DataParallel
    memory: tuple[float, ...]
    memory_limit: float | None
    estimate: Estimate
    states: tuple[str, ...]
    proved_best: bool

    def to_json(self) -> dict[str, Any]:
        """The plan as what `json.dump` takes."""
        return asdict(self)


def load_times(path: str | Path) -> tuple[PipelineTimes, int]:
    """
    The times and the number of micro-batches of a plan that was saved as JSON.

    Raises OSError, and InvalidInputError where the file is not a plan.
    """
    try:
        given: object = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInputError(f"not a plan: {error}", location=str(path)) from error
    try:
        plan = cast("Mapping[str, Any]", given)
        estimate = cast("Mapping[str, Any]", plan["estimate"])
        times = {name: _numbers(estimate[name]) for name in ("forward", "backward", "all_reduce", "transfer")}
        micro_batches: object = plan["micro_batches"]
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInputError(
            "not a plan: it needs 'micro_batches' and in 'estimate' the lists forward, backward, all_reduce, transfer",
            location=str(path),
        ) from error
    if not isinstance(micro_batches, int) or isinstance(micro_batches, bool) or micro_batches < 1:
        raise InvalidInputError("'micro_batches' has to be a whole number, one or more", location=str(path))
    stages = len(times["forward"])
    if stages == 0 or [len(values) for values in times.values()] != [stages, stages, stages, stages - 1]:
        raise InvalidInputError(
            "the lists in 'estimate' have to be of one length, 'transfer' of one less", location=str(path)
        )
    return Estimate(0.0, 0.0, {}, receives_ahead=True, **times).pipeline_times(), micro_batches


def _numbers(values: Sequence[Any]) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if not all(0 <= number < float("inf") for number in numbers):
        raise ValueError("a time is negative or not finite")
    return numbers
