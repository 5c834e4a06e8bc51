"""`rammer plan`: how many devices share the training of one model."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rammer_ir.errors import InvalidInputError

if TYPE_CHECKING:
    from rammer_ir.planner import Cluster, Plan

POLICIES = ("hpgo", "dapple", "best")


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:  # pyright: ignore[reportPrivateUsage]
    """Adds `plan` to the commands of `rammer`."""
    parser = commands.add_parser("plan", help="plan the training of one model on many devices")
    parser.add_argument("profile", type=Path, help="a profile of the model, in the format of PipeDream's graph.txt")
    parser.add_argument(
        "--profile-batch", type=int, required=True, metavar="N", help="samples the profile was taken with"
    )
    parser.add_argument(
        "--global-batch",
        type=_numbers,
        required=True,
        metavar="N[,N…]",
        help="samples of an iteration; several to compare",
    )
    parser.add_argument(
        "--devices",
        type=_numbers,
        required=True,
        metavar="N[,N…]",
        help="where machines end: 8,16 is two machines of eight",
    )
    parser.add_argument("--policy", choices=POLICIES, default="best", help="the search (default best)")
    parser.add_argument("--min-micro-batch", type=int, default=1, metavar="N", help="samples, at least (default 1)")
    parser.add_argument(
        "--memory", type=float, metavar="BYTES", help="of a device; limits --policy best (default: no limit)"
    )
    parser.add_argument(
        "--optimizer-memory-scaling",
        type=float,
        default=1.0,
        metavar="X",
        help="bytes of weights, gradients and optimizer state for a byte of weights (default 1)",
    )
    parser.add_argument(
        "--peak-activation", type=float, metavar="BYTES", help="of a sample (default: all activations of the profile)"
    )
    for name, bandwidth, link in (
        ("nvlink", 25e9, "within a machine"),
        ("p2p", 1e9, "between two devices of different machines"),
        ("nccl", 3e9, "of an all-reduce across machines"),
    ):
        parser.add_argument(
            f"--{name}",
            type=float,
            metavar="B/S",
            help=f"bandwidth {link} (default: {bandwidth:g}, or that of --links)",
        )
    parser.add_argument(
        "--links", type=Path, metavar="FILE.json", help="bandwidths, as `rammer profile links` writes them"
    )
    parser.add_argument("--json", action="store_true", help="print the plan for machines")
    parser.add_argument("--view", type=Path, metavar="FILE.html", help="draw the pipeline")
    parser.set_defaults(execute=execute)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of whole numbers such as 8,16") from error


def _cluster(options: argparse.Namespace) -> "Cluster":
    """The devices, with the bandwidths of the file of links, and of the options where those are given."""
    from rammer_ir.planner import Cluster
    from rammer_ir.planner.links import load_links

    cluster = Cluster(options.devices)
    if options.links is not None:
        links = load_links(options.links)
        cluster = Cluster(options.devices, links.nvlink, links.p2p, links.nccl, links.reduce)
    given = {name: getattr(options, name) for name in ("nvlink", "p2p", "nccl") if getattr(options, name) is not None}
    return replace(cluster, **given)


def execute(options: argparse.Namespace) -> int:
    """Plans and prints; the exit code."""
    from rammer_ir.planner import Request, plan_sweep

    if options.view is not None and len(options.global_batch) > 1:
        raise InvalidInputError("--view draws one plan: give one --global-batch")
    cluster = _cluster(options)
    request = Request(
        options.profile_batch,
        cluster,
        min_micro_batch=options.min_micro_batch,
        memory=options.memory,
        optimizer_memory_scaling=options.optimizer_memory_scaling,
        peak_activation=options.peak_activation,
        policy=options.policy,
    )
    plans = plan_sweep(options.profile, request, options.global_batch)
    if options.view is not None:
        from rammer_ir.files import write_text_aside
        from rammer_ir.view.pipeline import pipeline_page

        with write_text_aside(options.view) as file:
            file.write(pipeline_page(plans[0], options.profile.name))
    if options.json:
        found = [plan.to_json() for plan in plans]
        print(json.dumps(found[0] if len(found) == 1 else found, indent=2))
    else:
        print(_text(plans[0]) if len(plans) == 1 else _table(plans))
    return 0


def _speedup(value: float | None) -> str:
    return "out of memory" if value is None else f"{value:.4f}"


def _text(plan: "Plan") -> str:
    """A plan for people, a fact a line."""
    baseline, estimate = plan.data_parallel, plan.estimate
    lines = [
        f"data parallel without overlap  {_speedup(baseline.none)}",
        f"data parallel with P3          {_speedup(baseline.p3)}",
        f"data parallel, normal overlap  {_speedup(baseline.overlap)}",
        f"best hybrid ({plan.policy}){'':{12 - len(plan.policy)}}      {_speedup(plan.speedup)}"
        + (" (proved: no plan of the search space is faster)" if plan.proved_best else ""),
        f"{plan.micro_batches} micro-batches of {plan.micro_batch:g} samples in {plan.pipelines} pipeline(s)",
        f"an iteration takes {estimate.seconds:.4g} s by the estimate, {estimate.simulated_seconds:.4g} s simulated, "
        f"{estimate.run_seconds['A']:.4g} s as train-plan runs it, {estimate.run_seconds['B']:.4g} s with --warmup B",
    ]
    for number, (stage, used) in enumerate(zip(plan.stages, plan.memory, strict=True)):
        recompute = ", recomputed" if stage.recompute else ""
        over = " OVER THE LIMIT" if plan.memory_limit is not None and used > plan.memory_limit else ""
        lines.append(
            f"stage {number}: states {stage.first}-{stage.last} "
            f"({plan.states[stage.first]} … {plan.states[stage.last]}) on {len(stage.devices)} device(s) "
            f"{_ranges(stage.devices)}, {used / 1e9:.2f} GB each{over}{recompute}"
        )
    return "\n".join(lines)


def _table(plans: "Sequence[Plan]") -> str:
    """Plans of several global batches, one a line."""
    rows: list[tuple[str, ...]] = [("global batch", "no overlap", "P3", "overlap", "hybrid", "stages")]
    for plan in plans:
        baseline = plan.data_parallel
        stages = " ".join(f"{stage.first}-{stage.last}@{_ranges(stage.devices)}" for stage in plan.stages)
        speedups = (_speedup(value) for value in (baseline.none, baseline.p3, baseline.overlap, plan.speedup))
        rows.append((str(plan.global_batch), *speedups, stages))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join([*(text.rjust(width) for text, width in zip(row[:5], widths, strict=True)), row[5]]) for row in rows
    )


def _ranges(devices: Sequence[int]) -> str:
    """Device numbers with runs shortened: 0-7,9."""
    runs: list[list[int]] = []
    for device in sorted(devices):
        if runs and device == runs[-1][1] + 1:
            runs[-1][1] = device
        else:
            runs.append([device, device])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
