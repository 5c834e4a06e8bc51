"""`rammer stats`: where the time of a run goes, and the longest waits."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rammer_ir.cli.observed import add_arguments, opened

if TYPE_CHECKING:
    from rammer_ir.program import Program
    from rammer_ir.view.statistics import Statistics


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:  # pyright: ignore[reportPrivateUsage]
    """Adds `stats` to the commands of `rammer`."""
    parser = commands.add_parser("stats", help="say where the time of a run goes: tasks, waits, overhead")
    add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the numbers for machines")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Prints the numbers."""
    from rammer_ir.view.observation import observe
    from rammer_ir.view.statistics import statistics

    with opened(options) as (program, inputs):
        found = {name: statistics(timeline) for name, timeline in observe(program, inputs).items()}
        budget = bytes_and_limits(program)
    if options.json:
        print(json.dumps({"memory": budget, **{name: asdict(numbers) for name, numbers in found.items()}}, indent=2))
        return 0
    for name, numbers in found.items():
        print(_printable(_text(name, numbers)))
    print(_memory_text(budget))
    return 0


def bytes_and_limits(program: "Program") -> dict[str, dict[str, int]]:
    """Bytes that a program takes, each with the least or the most there could be."""
    image, report = program.image, program.report
    shared = max((launch.shared_bytes for launch in image.launches), default=0)
    budget = {
        "arena": {"bytes": report.arena_bytes, "live at one time": report.live_bytes},
        "weights": {"bytes": report.weight_bytes},
        "shared memory of a vEU": {"bytes": shared},
    }
    limit = _shared_limit(program)
    if limit is not None:
        budget["shared memory of a vEU"]["on the device"] = limit
    return budget


def _shared_limit(program: "Program") -> int | None:
    from rammer_ir.cost.devices import describe_device
    from rammer_ir.errors import RammerError

    try:
        return describe_device(program.compiled.origin.device).shared_bytes
    except RammerError:
        return None


def _text(name: str, numbers: "Statistics") -> str:
    path = numbers.path
    lines = [
        f"{name}: {numbers.length:.1f} us, {numbers.tasks} rTasks and {numbers.waits} waits on {numbers.veus} vEUs",
        f"  vEUs     at tasks {numbers.utilisation:.1%}, waiting {numbers.waiting:.1%}, "
        f"overhead {numbers.overhead:.1%}",
        f"  path     compute {path.compute:.1f} us, synchronisation {path.synchronisation:.1f}, wait {path.wait:.1f}, "
        f"tail {path.tail:.1f}",
    ]
    for wait in numbers.longest_waits:
        lines.append(
            f"  {wait.kind:8} {wait.length:.1f} us of vEU {wait.veu} at {wait.start:.1f} us, for {wait.released_by}"
        )
    return "\n".join(lines)


def _memory_text(budget: Mapping[str, Mapping[str, int]]) -> str:
    parts = [
        f"{what} {', '.join(f'{number} {name}' for name, number in numbers.items())}"
        for what, numbers in budget.items()
    ]
    return f"memory: {'; '.join(parts)}"


def _printable(text: str) -> str:
    """The text without what a terminal would take for commands: names may come from anywhere."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)
