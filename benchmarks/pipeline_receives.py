"""
When a stage should begin to receive: even plans with receives one pass ahead, or with the pass that needs them.

    python -m torch.distributed.run --standalone --nproc-per-node=2 benchmarks/pipeline_receives.py
        [--models vgg19:64,bert:64] [--small] [--steps 10]

Prints milliseconds of a step, beside those of torch's Schedule1F1B.
"""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import argparse
import statistics
from pathlib import Path

import torch
from pipeline_contenders import Job, Steps, load, release, run_1f1b, run_plan
from pipeline_parallel import even_plan, share

from rammer_ir.planner.profile import parse_profile, profile_text
from rammer_ir.planner.states import model_states
from rammer_ir.training import messages
from rammer_ir.training.measure import measure_model
from rammer_ir.training.processes import Process, joined

BLOCKS = (32, 8, 4, 2, 1)
"""Thread blocks of a transfer that begins one pass ahead; 32 is all that NCCL takes."""


def compare(process: Process, name: str, batch: int, options: argparse.Namespace) -> None:
    """All ways to receive in one model's even plan."""

    def show(what: str, steps: Steps) -> None:
        if process.rank == 0:
            print(f"{name} {batch}, {what}: {statistics.median(steps.seconds) * 1e3:.2f} ms", flush=True)
        release()

    spec = f"{Path(__file__).parent / 'pipeline_models.py'}:make_{name}{'_small' if options.small else ''}"
    text = ""
    if process.rank == 0:
        text = profile_text(measure_model(load(process, spec), max(1, batch // 4), process.device).profile)
    states = model_states(parse_profile(share(process, text)))
    plan = even_plan(states, process.ranks, batch)
    job = Job(spec, states.names, batch, options.steps)
    show("Schedule1F1B", run_1f1b(process, job, plan))
    show("with the pass", run_plan(process, job, plan, "A", receives_ahead=False))
    for blocks in BLOCKS:
        messages.CHANNEL_BLOCKS = blocks
        show(f"one pass ahead, {blocks} blocks", run_plan(process, job, plan, "A", receives_ahead=True))


def main() -> None:
    parser = argparse.ArgumentParser(description="when to receive")
    parser.add_argument("--models", default="vgg19:64,bert:32,bert:64,xlnet:64", help="models with their global batch")
    parser.add_argument("--small", action="store_true", help="models for CPUs")
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    torch.set_float32_matmul_precision("high")
    with joined(lambda rank: f"rank {rank}") as process:
        for given in options.models.split(","):
            name, _, batch = given.partition(":")
            compare(process, name, int(batch), options)


if __name__ == "__main__":
    main()
