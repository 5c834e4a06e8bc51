"""Trains a model by a plan, as one of the plan's processes."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from rammer_ir.dialects.pipeline_parallel import ProgramOp
from rammer_ir.errors import InvalidInputError
from rammer_ir.planner.instructions import plan_program
from rammer_ir.planner.saved_plan import SavedPlan
from rammer_ir.planner.simulator import Warmup
from rammer_ir.training.executor import RankExecutor
from rammer_ir.training.layers import trace_layers
from rammer_ir.training.messages import needing
from rammer_ir.training.model_file import TrainingModel, load_model
from rammer_ir.training.partition import model_parts
from rammer_ir.training.processes import Process, joined
from rammer_ir.training.stage import StagePart
from rammer_ir.training.torch_extra import import_torch


@dataclass(frozen=True, slots=True)
class Training:
    """How to train: iterations, the seed of the weights, and the schedule of `warmup_depths`."""

    steps: int = 10
    seed: int = 0
    warmup: Warmup = "A"
    depth: int | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InvalidInputError("steps have to be one or more")


@dataclass(frozen=True, slots=True)
class Trained:
    """The loss of each step, the seconds that it took, and where it ran."""

    losses: tuple[float, ...]
    seconds: tuple[float, ...]
    process: Process

    @property
    def median(self) -> float:
        """Median seconds of a step, without the first, in which links and kernels are set up."""
        return statistics.median(self.seconds[1:] or self.seconds)


def make_executor(plan: SavedPlan, model: TrainingModel, process: Process, training: Training) -> RankExecutor:
    """This process's part of a plan, in all processes together."""
    (program,) = plan_program(plan, training.warmup, training.depth).ops
    assert isinstance(program, ProgramOp)
    graph = trace_layers(model)
    parts = model_parts(graph, plan)
    own = next((number for number, stage in enumerate(plan.stages) if process.rank in stage.devices), None)
    part = None if own is None else StagePart(graph, parts[own], process.device, recompute=plan.stages[own].recompute)
    return RankExecutor(program, process.rank, model, part, process.device, receives_ahead=plan.receives_ahead)


def describe_rank(plan: SavedPlan, rank: int) -> str:
    """What a rank of a plan is, in errors: "rank 3 (stage 1)"."""
    stage = next((number for number, stage in enumerate(plan.stages) if rank in stage.devices), None)
    return f"rank {rank} (without a stage)" if stage is None else f"rank {rank} (stage {stage})"


def train_plan(
    plan: SavedPlan, spec: str, training: Training, report: Callable[[int, float, float], None] | None = None
) -> Trained:
    """
    Trains the model that the function `spec` makes, as one of the processes that torchrun started.

    `report` is called with step, loss and seconds. Raises DeviceError, naming the rank, where another process ends.
    """
    torch = import_torch()
    losses: list[float] = []
    seconds: list[float] = []
    with joined(lambda rank: describe_rank(plan, rank), plan.ranks) as process:
        model = load_model(spec, training.seed)
        executor = make_executor(plan, model, process, training)
        optimizer = model.optimizer(executor.parameters) if executor.parameters else None
        for step in range(training.steps):
            inputs, targets = model.inputs(plan.global_batch, step)
            start = time.perf_counter()
            loss = executor.iterate(inputs, targets)
            if optimizer is not None:
                optimizer.step()
            with needing("a rank, in the sum of the loss"):
                torch.distributed.all_reduce(loss)
            losses.append(float(loss))
            seconds.append(time.perf_counter() - start)
            if report is not None:
                report(step, losses[-1], seconds[-1])
    return Trained(tuple(losses), tuple(seconds), process)
