"""
What `pipeline_parallel.py` compares: each runs steps of a model on all processes.

A step is the forward and backward passes and the sums of gradients, without an optimizer. All take the same weights and
batches, and compute in the same precision.
"""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import gc
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as distributed

from rammer_ir.planner.latency import Candidate
from rammer_ir.planner.saved_plan import SavedPlan
from rammer_ir.planner.simulator import Warmup
from rammer_ir.training.layers import trace_layers
from rammer_ir.training.model_file import TrainingModel, load_model
from rammer_ir.training.partition import model_parts
from rammer_ir.training.processes import Process
from rammer_ir.training.stage import StagePart, rows_of
from rammer_ir.training.train import Training, make_executor

WARMUP = 3
"""Steps that are not timed: kernels are chosen, memory is taken, and links are made."""


@dataclass(frozen=True)
class Job:
    """Steps of the model `spec`, whose states have `names`, on a global batch."""

    spec: str
    names: tuple[str, ...]
    batch: int
    steps: int


@dataclass(frozen=True)
class Steps:
    """Seconds of each step, of the slowest process, and the norm of the gradients of all parameters."""

    seconds: tuple[float, ...]
    norm: float


def load(process: Process, spec: str) -> TrainingModel:
    """The model, made on the process's device, which takes less time than making it on the CPU."""
    with process.device:
        return load_model(spec)


def release() -> None:
    """Frees what nothing holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def timed(
    process: Process, step: Callable[[], Any], steps: int, parameters: Iterable[torch.Tensor], replicas: int
) -> Steps:
    """Runs steps; `parameters` are those of this process, which `replicas` processes hold."""
    found: list[float] = []
    for _ in range(WARMUP + steps):
        distributed.barrier()
        _synchronize(process)
        start = time.perf_counter()
        step()
        _synchronize(process)
        seconds = torch.tensor([time.perf_counter() - start], device=process.device)
        distributed.all_reduce(seconds, op=distributed.ReduceOp.MAX)
        found.append(float(seconds))
    squares = torch.zeros(1, dtype=torch.float64, device=process.device)
    for parameter in parameters:
        squares += (parameter.grad.double() ** 2).sum() / replicas
    distributed.all_reduce(squares)
    return Steps(tuple(found[WARMUP:]), float(squares.sqrt()))


def _synchronize(process: Process) -> None:
    if process.device.type == "cuda":
        torch.cuda.synchronize()


def run_plan(process: Process, job: Job, plan: Candidate, warmup: Warmup, *, receives_ahead: bool) -> Steps:
    """The executor of `rammer train-plan`."""
    model = load(process, job.spec)
    saved = SavedPlan(plan.stages, plan.pipelines, plan.micro_batches, job.batch, job.names, {}, receives_ahead)
    executor = make_executor(saved, model, process, Training(warmup=warmup))
    inputs, targets = (rows_of(value, 0, job.batch, process.device) for value in model.inputs(job.batch, 0))
    own = [stage for stage in plan.stages if process.rank in stage.devices]
    replicas = len(own[0].devices) if own else 1
    return timed(process, lambda: executor.iterate(inputs, targets), job.steps, executor.parameters, replicas)


def run_ddp(process: Process, job: Job) -> Steps:
    """DistributedDataParallel, each device with its share of the batch at once."""
    model = load(process, job.spec)
    module = model.module.to(process.device)
    wrapped = torch.nn.parallel.DistributedDataParallel(module, gradient_as_bucket_view=True)
    first, end = (job.batch * number // process.ranks for number in (process.rank, process.rank + 1))
    inputs, targets = (rows_of(value, first, end, process.device) for value in model.inputs(job.batch, 0))

    def step() -> None:
        wrapped.zero_grad()
        model.loss(wrapped(*inputs), targets).backward()

    return timed(process, step, job.steps, module.parameters(), process.ranks)


class StageModule(torch.nn.Module):
    """A stage as Schedule1F1B wants it."""

    def __init__(self, part: StagePart) -> None:
        super().__init__()
        self.part = part
        self.weights = torch.nn.ParameterList(part.part.parameters)

    def forward(self, *values: torch.Tensor) -> Any:
        made = self.part.forward(values, ()) if self.part.part.inputs else self.part.forward((), values)
        return made[0] if len(made) == 1 else tuple(made)


def run_1f1b(process: Process, job: Job, plan: Candidate) -> Steps:
    """Schedule1F1B of torch.distributed.pipelining, on two stages, with DDP inside of each."""
    from torch.distributed.pipelining import PipelineStage, Schedule1F1B

    model = load(process, job.spec)
    half = plan.stages[0].replicas
    number, replica = divmod(process.rank, half)
    saved = SavedPlan(plan.stages, 1, plan.micro_batches, job.batch, job.names, {}, receives_ahead=False)
    graph = trace_layers(model)
    module: Any = StageModule(StagePart(graph, model_parts(graph, saved)[number], process.device, recompute=False))
    across = [distributed.new_group([index, half + index]) for index in range(half)][replica]
    within = [distributed.new_group(list(stage.devices)) for stage in plan.stages][number]
    if half > 1:
        module = torch.nn.parallel.DistributedDataParallel(module, process_group=within, gradient_as_bucket_view=True)
    stage = PipelineStage(module, number, 2, process.device, group=across)
    schedule = Schedule1F1B(stage, plan.micro_batches, loss_fn=model.loss)
    first, end = (job.batch * index // half for index in (replica, replica + 1))
    inputs, targets = (rows_of(value, first, end, process.device) for value in model.inputs(job.batch, 0))

    def step() -> None:
        module.zero_grad()
        if number == 0:
            schedule.step(*inputs)
        else:
            schedule.step(target=targets, losses=[])

    return timed(process, step, job.steps, module.parameters(), half)
