"""
Plans that are run, against data parallelism (DDP) and torch's own Schedule1F1B, with predicted and measured times.

    python benchmarks/pipeline_parallel.py --processes 4 [--models vgg19,bert,xlnet] [--batches 32,64]
        [--small] [--steps 10] [--output docs/results/pipeline-parallel.md] [--records measured.jsonl]

Everything happens in one run on the same devices, for one model after the other: links are measured, then its layers at
several batch sizes; the planner plans; then the plan, DDP, and a plan of two even stages are run, the latter by
`rammer train-plan`'s executor and by Schedule1F1B. The table is written anew after each model; `--records` keeps all
that was measured, profiles included. Without GPUs it runs on CPU processes (gloo); `--small` takes models that are
small enough for that.
"""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import argparse
import faulthandler
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as distributed
from pipeline_contenders import Job, Steps, load, release, run_1f1b, run_ddp, run_plan

from rammer_ir.planner import Cluster, Request
from rammer_ir.planner.api import plan_states
from rammer_ir.planner.latency import Candidate, Stage
from rammer_ir.planner.profile import parse_profile, profile_text
from rammer_ir.planner.run_time import RunTimes, run_times
from rammer_ir.planner.simulator import Warmup
from rammer_ir.planner.states import States, model_states
from rammer_ir.training.measure import measure_model
from rammer_ir.training.measure_links import measure_links
from rammer_ir.training.processes import Process, joined

MODELS = {"vgg19": (16, 64), "bert": (16, 64), "xlnet": (16, 64)}
"""Default global batches: one at which the sum of gradients takes a good part of a step, and a larger one."""
SMALL_BATCHES = (16,)
CONTENDERS = ("planned", "DDP", "even", "1F1B")


class Records:
    """What rank 0 measures, a line of JSON each in a file, and progress on stderr."""

    def __init__(self, process: Process, path: Path):
        self._process = process
        self._path = path
        self._start = time.perf_counter()

    def add(self, kind: str, **values: Any) -> None:
        if self._process.rank:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps({'kind': kind, **values})}\n")
        shown = {name: value for name, value in values.items() if name not in ("text", "stages")}
        print(f"{time.perf_counter() - self._start:6.1f} s  {kind} {shown}", file=sys.stderr, flush=True)


def share(process: Process, value: Any) -> Any:
    """Rank 0's value, in all processes."""
    box = [value]
    distributed.broadcast_object_list(box, src=0, device=process.device)
    return box[0]


def measure_profiles(process: Process, spec: str, batches: Sequence[int], records: Records) -> dict[int, States]:
    """The model's states by batch size, as rank 0 measures them."""
    found: dict[int, str] = {}
    if process.rank == 0:
        model = load(process, spec)
        for batch in batches:
            measured = measure_model(model, batch, process.device)
            found[batch] = profile_text(measured.profile)
            layers = sum(layer.forward + layer.backward for layer in measured.profile.layers)
            records.add("profile", batch=batch, layers=layers, whole=measured.whole, text=found[batch])
        del model
        release()
    return {batch: model_states(parse_profile(text)) for batch, text in share(process, found).items()}


def predict(plan: Candidate, profiles: dict[int, States], cluster: Cluster, batch: int) -> tuple[float, Warmup]:
    """Seconds of an iteration by the better warm-up policy, and which that is."""
    found = times_of(plan, profiles, cluster, batch).seconds(plan.micro_batches)
    return min((seconds, policy) for policy, seconds in found.items())


def times_of(plan: Candidate, profiles: dict[int, States], cluster: Cluster, batch: int) -> RunTimes:
    """Each stage as long as its layers take with the rows that its devices get."""
    states: list[States] = []
    for stage in plan.stages:
        parts = plan.pipelines * plan.micro_batches * stage.replicas
        states.append(interpolated(profiles, -(-batch // parts)).scaled(parts))
    return run_times(states, cluster, plan)


def interpolated(profiles: dict[int, States], rows: int) -> States:
    """The states at a batch size between two that were measured."""
    below = max(size for size in profiles if size <= rows)
    above = min((size for size in profiles if size >= rows), default=below)
    if above == below:
        return profiles[below].scaled(rows / below)
    share = (rows - below) / (above - below)
    low, high = profiles[below], profiles[above]
    names = ("compute", "forward", "activations", "outputs")
    between = {name: (1 - share) * getattr(low, name) + share * getattr(high, name) for name in names}
    return replace(low, **between)


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
    stage = plan.stages[0]
    if len(plan.stages) > 1 or batch % len(stage.devices):
        return plan
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


def describe(plan: Candidate) -> str:
    shape = ":".join(str(stage.replicas) for stage in plan.stages)
    cuts = ",".join(str(stage.last) for stage in plan.stages[:-1])
    pipelines = f" in {plan.pipelines} pipelines" if plan.pipelines > 1 else ""
    return f"{shape}{f' cut at {cuts}' if cuts else ''}, {plan.micro_batches} micro-batches{pipelines}"


def measure(process: Process, name: str, spec: str, options: argparse.Namespace, records: Records) -> None:
    """Plans of a model and runs them; all contenders at all batches, one contender after the other."""
    links = measure_links(process, int(os.environ["LOCAL_WORLD_SIZE"]))
    records.add("links", **links.to_json())
    cluster = Cluster((process.ranks,), links.nvlink, links.p2p, links.nccl, links.reduce)
    batches = options.batches or (SMALL_BATCHES if options.small else MODELS[name])
    sizes = sorted({2**power for batch in batches for power in range(int(math.log2(batch)) + 1)})
    profiles = measure_profiles(process, spec, sizes, records)
    names = profiles[sizes[0]].names
    whole = Stage(0, len(names) - 1, process.ranks, tuple(range(process.ranks)))
    data = Candidate(1.0, (whole,), 1, 1)
    plans = share(process, [best_plan(profiles, cluster, batch) for batch in batches] if process.rank == 0 else None)
    evens = [even_plan(profiles[max(1, batch // process.ranks)], process.ranks, batch) for batch in batches]
    for contender in CONTENDERS:
        for batch, plan, even in zip(batches, plans, evens, strict=True):
            job = Job(spec, names, batch, options.steps)
            candidate = {"planned": plan, "DDP": data}.get(contender, even)
            runs: dict[str, Callable[[], Steps]] = {
                "DDP": lambda job=job: run_ddp(process, job),
                "1F1B": lambda job=job, candidate=candidate: run_1f1b(process, job, candidate),
            }
            predicted, warmup = predict(candidate, profiles, cluster, batch)
            ahead = times_of(candidate, profiles, cluster, batch).receives_ahead
            own = partial(run_plan, process, job, candidate, warmup, receives_ahead=ahead)
            steps = runs.get(contender, own)()
            release()
            records.add(
                "run",
                batch=batch,
                contender=contender,
                plan=describe(candidate) + (", warm-up B" if warmup == "B" else ""),
                predicted=predicted,
                warmup=warmup,
                receives_ahead=ahead,
                measured=statistics.median(steps.seconds),
                norm=steps.norm,
                seconds=steps.seconds,
                stages=[asdict(stage) for stage in candidate.stages],
                micro_batches=candidate.micro_batches,
            )


def table(records: dict[str, list[dict[str, Any]]], processes: int) -> str:
    """Markdown from what was measured of each model."""
    links = next((record for model in records.values() for record in model if record["kind"] == "links"), None)
    device = "no device" if links is None else f"{links['devices'][0]} ({links['backend']})"
    settings = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("NCCL_")]
    lines = [
        f"{date.today()}, {processes} x {device}, PyTorch {torch.__version__}"
        f"{', ' if settings else ''}{', '.join(settings)}.",
        "",
    ]
    if links is not None:
        bandwidths = f"{links['nvlink'] / 1e9:.3g} GB/s point to point, {links['reduce'] / 1e9:.3g} GB/s"
        lines += [f"Measured links: {bandwidths} through each device in an all-reduce.", ""]
    heads = [f"{name}: predicted | measured | error" for name in CONTENDERS[:-1]]
    lines += [f"| model | batch | plan | {' | '.join(heads)} | 1F1B | gradients |", "|---" * 14 + "|"]
    for model, found in records.items():
        runs = {(run["batch"], run["contender"]): run for run in found if run["kind"] == "run"}
        for batch in dict.fromkeys(batch for batch, _ in runs):
            lines.append(_row(model, batch, {name: runs.get((batch, name)) for name in CONTENDERS}))
        if not runs:
            lines.append(f"| {model} | failed" + " |" * 13)
    return "\n".join([*lines, ""])


def _row(model: str, batch: int, runs: dict[str, dict[str, Any] | None]) -> str:
    plans = [f"{name}: {run['plan']}" for name, run in runs.items() if run and name in ("planned", "even")]
    cells = [model, str(batch), "; ".join(plans)]
    for name in CONTENDERS[:-1]:
        run = runs[name]
        times = (run["predicted"], run["measured"]) if run else None
        cells += [f"{t * 1e3:.2f}" for t in times] if times else ["failed"] * 2
        cells.append(f"{times[0] / times[1] - 1:+.0%}" if times else "")
    last = runs["1F1B"]
    cells.append(f"{last['measured'] * 1e3:.2f}" if last else "failed")
    norms = [run["norm"] for run in runs.values() if run]
    cells.append(f"within {max(norms) / min(norms) - 1:.0e}")
    return f"| {' | '.join(cells)} |"


def work(options: argparse.Namespace) -> None:
    """What each process does, for one model."""
    torch.set_float32_matmul_precision("high")
    faulthandler.dump_traceback_later(options.limit - 15)
    folder = Path(__file__).parent
    spec = f"{folder / 'pipeline_models.py'}:make_{options.models}{'_small' if options.small else ''}"
    with joined(lambda rank: f"rank {rank}") as process:
        measure(process, options.models, spec, options, Records(process, options.records))


def run_model(name: str, options: argparse.Namespace, path: Path) -> None:
    """Starts the processes for a model; what fails, or takes too long, ends with it."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={options.processes}"]
    arguments = ["--models", name, "--records", str(path), "--steps", str(options.steps), "--limit", str(options.limit)]
    if options.batches:
        arguments += ["--batches", ",".join(map(str, options.batches))]
    threads = str(max(1, (os.cpu_count() or 1) // options.processes))
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"OMP_NUM_THREADS": threads, **os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [*torchrun, __file__, *arguments, *(["--small"] if options.small else [])]
    with subprocess.Popen(command, env=environment) as started:
        try:
            started.wait(options.limit)
        except subprocess.TimeoutExpired:
            print(f"{name}: not done after {options.limit} s", file=sys.stderr, flush=True)
            # torchrun ends its processes when it is asked to end.
            started.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description="plans that are run, against DDP and Schedule1F1B")
    parser.add_argument("--processes", type=int, default=max(2, torch.cuda.device_count()), help="an even number")
    parser.add_argument("--models", default=",".join(MODELS), help=f"of {', '.join(MODELS)}")
    parser.add_argument("--batches", type=lambda text: tuple(map(int, text.split(","))), help="global batches")
    parser.add_argument("--small", action="store_true", help="models for CPUs")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--limit", type=int, default=180, help="seconds for a model")
    parser.add_argument("--output", type=Path, help="a Markdown file")
    parser.add_argument("--records", type=Path, help="a file of JSON lines for all that is measured")
    options = parser.parse_args()
    if "RANK" in os.environ:
        work(options)
        return
    records: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.models.split(","):
            path = Path(folder) / name
            path.touch()
            start = time.perf_counter()
            run_model(name, options, path)
            print(f"{name} took {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
            records[name] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            text = table(records, options.processes)
            print(text, flush=True)
            if options.output is not None:
                options.output.write_text(text, encoding="utf-8")
            if options.records is not None:
                with options.records.open("a", encoding="utf-8") as file:
                    file.writelines(f"{json.dumps({'model': name, **record})}\n" for record in records[name])


if __name__ == "__main__":
    main()
