"""`rammer simulate-plan`: a plan's iteration, task by task."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from rammer_ir.cli.schedule_options import add_plan_argument, add_schedule_options

if TYPE_CHECKING:
    from rammer_ir.planner.simulator import Schedule


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:  # pyright: ignore[reportPrivateUsage]
    """Adds `simulate-plan` to the commands of `rammer`."""
    parser = commands.add_parser("simulate-plan", help="simulate an iteration of a plan of `rammer plan --json`")
    add_plan_argument(parser)
    add_schedule_options(parser)
    parser.add_argument("--json", action="store_true", help="print the schedule for machines, with every task")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Simulates and prints; the exit code."""
    from dataclasses import asdict

    from rammer_ir.planner.plan import load_times
    from rammer_ir.planner.recursion import recursive_length
    from rammer_ir.planner.simulator import simulate, warmup_depths

    times, micro_batches = load_times(options.plan)
    depths = warmup_depths(options.warmup, len(times.forward), micro_batches, options.depth)
    schedule = simulate(times, micro_batches, depths)
    recursive = recursive_length(times, micro_batches, depths)
    if options.json:
        print(json.dumps(asdict(schedule) | {"recursive_length": recursive}, indent=2))
    else:
        print(_text(schedule, recursive, micro_batches))
    return 0


def _text(schedule: "Schedule", recursive: float, micro_batches: int) -> str:
    """The schedule for people: a line a stage or transfer."""
    lines = [
        f"{schedule.length:.6g} s for {micro_batches} micro-batches; the paper's recursion gives {recursive:.6g} s",
    ]
    for position, (busy, depth) in enumerate(zip(schedule.busy, schedule.in_flight, strict=True)):
        what = f"stage {position // 2}" if position % 2 == 0 else f"transfer {position // 2} to {position // 2 + 1}"
        lines.append(f"{what}: busy {busy:.1%}, at most {depth} micro-batches in flight")
    return "\n".join(lines)
