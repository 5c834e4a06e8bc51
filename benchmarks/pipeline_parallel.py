"""
Plans that are run, against data parallelism (DDP) and torch's own Schedule1F1B, with predicted and measured times.

    python benchmarks/pipeline_parallel.py --processes 4 [--models vgg19,bert,xlnet] [--batches 32,64]
        [--small] [--steps 10] [--output docs/results/pipeline-parallel.md]

Everything happens in one run on the same devices: links are measured, then for each model its layers at several batch
sizes; the planner plans; then the plan, DDP, and a plan of two even stages are run, the latter by Schedule1F1B and by
`rammer train-plan`'s executor. A step is the forward and backward passes and the sums of gradients, without optimizer.
Without GPUs it runs on CPU processes (gloo); `--small` takes models that are small enough for that.
"""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import argparse
import gc
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch
import torch.distributed as distributed

from rammer_ir.planner import Cluster, Request
from rammer_ir.planner.api import estimate_plan, plan_states
from rammer_ir.planner.data_parallel import data_parallel
from rammer_ir.planner.latency import Candidate, Stage
from rammer_ir.planner.profile import parse_profile, profile_text
from rammer_ir.planner.saved_plan import SavedPlan
from rammer_ir.planner.simulator import simulated_length, stage_depths, warmup_depths
from rammer_ir.planner.states import States, model_states
from rammer_ir.training.layers import trace_layers
from rammer_ir.training.measure import measure_model
from rammer_ir.training.measure_links import measure_links
from rammer_ir.training.model_file import load_model
from rammer_ir.training.partition import model_parts
from rammer_ir.training.processes import Process, joined
from rammer_ir.training.stage import StagePart, rows_of
from rammer_ir.training.train import Training, make_executor

MODELS = {"vgg19": (32, 64), "bert": (16, 32), "xlnet": (16, 32)}
"""Default global batches: those at which the sum of gradients takes a good part of a step."""
SMALL_BATCHES = (16,)


@dataclass(frozen=True)
class Row:
    """A model at a global batch: the plan, and seconds of a step by contender, predicted and measured."""

    model: str
    batch: int
    plan: str
    predicted: dict[str, float]
    measured: dict[str, float]


def share(process: Process, value: Any) -> Any:
    """Rank 0's value, in all processes."""
    box = [value]
    distributed.broadcast_object_list(box, src=0, device=process.device)
    return box[0]


def measure_profiles(process: Process, spec: str, batches: Sequence[int]) -> dict[int, States]:
    """The model's states by batch size, as rank 0 measures them."""
    found: dict[int, str] = {}
    if process.rank == 0:
        model = load_model(spec)
        for batch in batches:
            found[batch] = profile_text(measure_model(model, batch, process.device).profile)
        del model
        release()
    return {batch: model_states(parse_profile(text)) for batch, text in share(process, found).items()}


def release() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def predict(plan: Candidate, profiles: dict[int, States], cluster: Cluster, batch: int) -> float:
    """Seconds by the simulator, from the profile whose batch is nearest to the rows of a device."""
    rows = batch / (plan.pipelines * plan.micro_batches * plan.stages[0].replicas)
    nearest = min(profiles, key=lambda size: abs(math.log(size / rows)))
    states = profiles[nearest].scaled(batch / nearest)
    if len(plan.stages) == 1 and plan.micro_batches == 1:
        return float(states.compute[-1]) / (data_parallel(states, cluster, batch, 1.0, math.inf, 1.0).overlap or 1.0)
    times = estimate_plan(states, cluster, plan).pipeline_times()
    depths = stage_depths(warmup_depths("A", len(plan.stages), plan.micro_batches))
    return simulated_length(times, plan.micro_batches, depths)


def best_plan(profiles: dict[int, States], cluster: Cluster, batch: int) -> Candidate:
    """Of the plans made from each profile, the one with the shortest predicted time."""
    found: list[Candidate] = []
    for size, states in profiles.items():
        for policy in ("best", "dapple"):
            request = Request(size, cluster, min_micro_batch=min(size, batch), policy=policy)
            plan = plan_states(states, request, batch)
            found.append(Candidate(plan.speedup, plan.stages, plan.pipelines, plan.micro_batches))
    return min((merged(plan, batch) for plan in found), key=lambda plan: predict(plan, profiles, cluster, batch))


def merged(plan: Candidate, batch: int) -> Candidate:
    """One stage in several pipelines is the same as one with replicas."""
    if len(plan.stages) > 1 or batch % len(plan.stages[0].devices):
        return plan
    (stage,) = plan.stages
    whole = Stage(stage.first, stage.last, len(stage.devices), stage.devices, stage.recompute)
    return Candidate(plan.speedup, (whole,), 1, plan.micro_batches)


def even_plan(states: States, processes: int, batch: int) -> Candidate:
    """Two stages of half of the devices each, cut where they take as long, and four micro-batches if there are rows."""
    half = processes // 2
    cuts = [cut for cut in range(len(states) - 1) if states.precedes[-1, cut]]
    middle = min(cuts, key=lambda cut: abs(2 * states.compute[cut] - states.compute[-1]))
    devices = tuple(range(half)), tuple(range(half, 2 * half))
    stages = Stage(0, middle, half, devices[0]), Stage(middle + 1, len(states) - 1, half, devices[1])
    return Candidate(1.0, stages, 1, max(2, min(4, batch // half)))


def timed(process: Process, step: Callable[[], Any], steps: int) -> float:
    """Median seconds of a step, of the slowest process, after two to warm up."""
    found: list[float] = []
    for _ in range(steps + 2):
        distributed.barrier()
        if process.device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        step()
        if process.device.type == "cuda":
            torch.cuda.synchronize()
        seconds = torch.tensor([time.perf_counter() - start], device=process.device)
        distributed.all_reduce(seconds, op=distributed.ReduceOp.MAX)
        found.append(float(seconds))
    release()
    return statistics.median(found[2:])


def run_plan(process: Process, spec: str, plan: Candidate, names: tuple[str, ...], batch: int, steps: int) -> float:
    """Seconds of a step by the executor of `rammer train-plan`."""
    model = load_model(spec)
    saved = SavedPlan(plan.stages, plan.pipelines, plan.micro_batches, batch, names, 0.0)
    executor = make_executor(saved, model, process, Training())
    inputs, targets = (rows_of(value, 0, batch, process.device) for value in model.inputs(batch, 0))
    return timed(process, lambda: executor.iterate(inputs, targets), steps)


def run_ddp(process: Process, spec: str, batch: int, steps: int) -> float:
    """Seconds of a step by DistributedDataParallel, each device with its share of the batch at once."""
    model = load_model(spec)
    module = model.module.to(process.device)
    wrapped = torch.nn.parallel.DistributedDataParallel(module, gradient_as_bucket_view=True)
    first, end = (batch * number // process.ranks for number in (process.rank, process.rank + 1))
    inputs, targets = (rows_of(value, first, end, process.device) for value in model.inputs(batch, 0))

    def step() -> None:
        wrapped.zero_grad()
        model.loss(wrapped(*inputs), targets).backward()

    return timed(process, step, steps)


class StageModule(torch.nn.Module):
    """A stage as Schedule1F1B wants it."""

    def __init__(self, part: StagePart) -> None:
        super().__init__()
        self.part = part
        self.weights = torch.nn.ParameterList(part.part.parameters)

    def forward(self, *values: torch.Tensor) -> Any:
        made = self.part.forward(values, ()) if self.part.part.inputs else self.part.forward((), values)
        return made[0] if len(made) == 1 else tuple(made)


def run_1f1b(process: Process, spec: str, plan: Candidate, names: tuple[str, ...], batch: int, steps: int) -> float:
    """Seconds of a step by torch.distributed.pipelining, with DDP inside of each stage."""
    from torch.distributed.pipelining import PipelineStage, Schedule1F1B

    model = load_model(spec)
    half = plan.stages[0].replicas
    number, replica = divmod(process.rank, half)
    saved = SavedPlan(plan.stages, 1, plan.micro_batches, batch, names, 0.0)
    graph = trace_layers(model)
    module: Any = StageModule(StagePart(graph, model_parts(graph, saved)[number], process.device, recompute=False))
    across = [distributed.new_group([index, half + index]) for index in range(half)][replica]
    within = [distributed.new_group(list(stage.devices)) for stage in plan.stages][number]
    if half > 1:
        module = torch.nn.parallel.DistributedDataParallel(module, process_group=within, gradient_as_bucket_view=True)
    stage = PipelineStage(module, number, 2, process.device, group=across)
    schedule = Schedule1F1B(stage, plan.micro_batches, loss_fn=model.loss)
    first, end = (batch * index // half for index in (replica, replica + 1))
    inputs, targets = (rows_of(value, first, end, process.device) for value in model.inputs(batch, 0))

    def step() -> None:
        module.zero_grad()
        if number == 0:
            schedule.step(*inputs)
        else:
            schedule.step(target=targets, losses=[])

    return timed(process, step, steps)


def describe(plan: Candidate) -> str:
    shape = ":".join(str(stage.replicas) for stage in plan.stages)
    cuts = ",".join(str(stage.last) for stage in plan.stages[:-1])
    pipelines = f" in {plan.pipelines} pipelines" if plan.pipelines > 1 else ""
    return f"{shape}{f' cut at {cuts}' if cuts else ''}, {plan.micro_batches} micro-batches{pipelines}"


def measure(process: Process, name: str, spec: str, batches: Sequence[int], cluster: Cluster, steps: int) -> list[Row]:
    sizes = sorted({2**power for batch in batches for power in range(int(math.log2(batch)) + 1)})
    profiles = measure_profiles(process, spec, sizes)
    names = profiles[sizes[0]].names
    rows: list[Row] = []
    for batch in batches:
        plan = share(process, best_plan(profiles, cluster, batch) if process.rank == 0 else None)
        even = even_plan(profiles[max(1, batch // process.ranks)], process.ranks, batch)
        whole = Stage(0, len(names) - 1, process.ranks, tuple(range(process.ranks)))
        contenders = {"planned": plan, "DDP": Candidate(1.0, (whole,), 1, 1), "even": even}
        predicted = {key: predict(candidate, profiles, cluster, batch) for key, candidate in contenders.items()}
        measured = {
            "planned": run_plan(process, spec, plan, names, batch, steps),
            "DDP": run_ddp(process, spec, batch, steps),
            "even": run_plan(process, spec, even, names, batch, steps),
            "1F1B": run_1f1b(process, spec, even, names, batch, steps),
        }
        rows.append(Row(name, batch, f"{describe(plan)}; even: {describe(even)}", predicted, measured))
        if process.rank == 0:
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def table(rows: Sequence[Row], process: Process, cluster: Cluster) -> str:
    device = torch.cuda.get_device_name() if process.device.type == "cuda" else "CPU process"
    lines = [
        "# Plans that are run",
        "",
        f"{date.today()}, {process.ranks} x {device} ({process.backend}), PyTorch {torch.__version__}. Written by "
        "`benchmarks/pipeline_parallel.py`.",
        "",
        f"Measured links: {cluster.nvlink / 1e9:.3g} GB/s point to point, {(cluster.reduce or 0) / 1e9:.3g} GB/s "
        "through each device in an all-reduce. Milliseconds of a step (forward, backward, sums of gradients), median;",
        "predicted by the simulator from layers measured alone, before the run. 1F1B is torch's Schedule1F1B with DDP",
        "in each stage, on the even plan.",
        "",
        "| model | batch | plan | planned: predicted | measured | error | DDP: predicted | measured | error "
        "| even: predicted | measured | error | 1F1B |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row.model, str(row.batch), row.plan]
        for key, predicted in row.predicted.items():
            measured = row.measured[key]
            cells += [f"{predicted * 1e3:.2f}", f"{measured * 1e3:.2f}", f"{predicted / measured - 1:+.0%}"]
        cells.append(f"{row.measured['1F1B'] * 1e3:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def work(options: argparse.Namespace) -> None:
    """What each process does."""
    torch.set_float32_matmul_precision("high")
    folder = Path(__file__).parent
    with joined(lambda rank: f"rank {rank}") as process:
        links = measure_links(process, int(os.environ["LOCAL_WORLD_SIZE"]))
        cluster = Cluster((process.ranks,), links.nvlink, links.p2p, links.nccl, links.reduce)
        rows: list[Row] = []
        for name in options.models.split(","):
            spec = f"{folder / 'pipeline_models.py'}:make_{name}{'_small' if options.small else ''}"
            batches = options.batches or (SMALL_BATCHES if options.small else MODELS[name])
            rows += measure(process, name, spec, batches, cluster, options.steps)
    if process.rank == 0:
        text = table(rows, process, cluster)
        if options.output is None:
            print(text)
        else:
            options.output.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="plans that are run, against DDP and Schedule1F1B")
    parser.add_argument("--processes", type=int, default=max(2, torch.cuda.device_count()), help="an even number")
    parser.add_argument("--models", default=",".join(MODELS), help=f"of {', '.join(MODELS)}")
    parser.add_argument("--batches", type=lambda text: tuple(map(int, text.split(","))), help="global batches")
    parser.add_argument("--small", action="store_true", help="models for CPUs")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--output", type=Path, help="a Markdown file")
    options = parser.parse_args()
    if "RANK" in os.environ:
        work(options)
        return
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={options.processes}"]
    threads = str(max(1, (os.cpu_count() or 1) // options.processes))
    sys.exit(subprocess.run([*command, *sys.argv], env={"OMP_NUM_THREADS": threads, **os.environ}).returncode)


if __name__ == "__main__":
    main()
