"""
How long planning takes, by policy, against HPGO 0.9.2 where a Python 3.7 that has it is named.

    python benchmarks/planner_speed.py --profiles ../shared/data/dapple_profiles [--hpgo python3.7]
        [--output docs/results/planner-speed.md]

Each row is a model on a layout: processor seconds from the profile's file to the plan (median of three; all is done on
one core), and the speedups that the policies estimate. HPGO runs in a process of its own; its seconds are without the
start of Python. A picture of the seconds against the number of states and of devices goes beside the output.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rammer_ir.planner import Cluster, Request
from rammer_ir.planner.api import SearchPolicy, plan_states
from rammer_ir.planner.profile import read_profile
from rammer_ir.planner.states import model_states

FLAT = tuple(range(1, 17))
MODELS: tuple[tuple[str, int, int], ...] = (
    ("dapple/vgg-19-pbs-32.txt", 32, 2048),
    ("dapple/bert-24-pbs-6.txt", 6, 96),
    ("dapple/xlnet-36-pbs-1.txt", 1, 128),
    ("dapple/amoeba-36-pbs-1.txt", 1, 128),
    ("hpgo/bert_48__graph.txt", 2, 64),
    ("hpgo/gnmt_32_simplified__graph.txt", 64, 1024),
    ("hpgo/resnet50__graph.txt", 128, 2048),
    ("hpgo/resnet101__graph.txt", 64, 1024),
    ("hpgo/inception_v3__graph.txt", 64, 1024),
    ("hpgo/nasnetalarge__graph.txt", 64, 1024),
    ("dapple/gnmt-16-pbs-64.txt", 64, 1024),
)
LAYOUTS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("2x8", (8, 16)),
    ("16x1", FLAT),
    ("4x8", (8, 16, 24, 32)),
)
POLICIES: tuple[SearchPolicy, ...] = ("hpgo", "dapple", "best")
HPGO_LIMIT = 300
"""Seconds after which HPGO is given up."""

_HPGO = """
import json, sys, time
import HPGO
start = time.process_time()
found = HPGO.conductor_from_torch_graph_and_seps(sys.argv[1], *map(int, sys.argv[2:4]), json.loads(sys.argv[4]))
speedup = found.py_orchestrate()[0]
print("RESULT", time.process_time() - start, speedup)
"""


@dataclass(frozen=True)
class Row:
    """A model on a layout: states, devices, seconds and speedup by policy; HPGO's where it was run and answered."""

    model: str
    layout: str
    states: int
    devices: int
    found: dict[str, tuple[float, float]]
    original: tuple[float, float] | None


def measure(
    path: Path, profile_batch: int, global_batch: int, ends: tuple[int, ...], policy: SearchPolicy
) -> tuple[float, float, int]:
    """Median seconds, the speedup and the number of states."""
    request = Request(profile_batch, Cluster(ends), policy=policy)

    def once() -> tuple[float, float, int]:
        start = time.process_time()
        states = model_states(read_profile(path))
        plan = plan_states(states, request, global_batch)
        return time.process_time() - start, plan.speedup, len(states)

    found = [once() for _ in range(3)]
    return statistics.median(seconds for seconds, _, _ in found), *found[0][1:]


def measure_hpgo(
    python: str, path: Path, profile_batch: int, global_batch: int, ends: tuple[int, ...], limit: float
) -> tuple[float, float] | None:
    """HPGO's seconds and speedup; None where it does not answer in time."""
    command = [python, "-c", _HPGO, str(path), str(profile_batch), str(global_batch), json.dumps(ends)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return None
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("RESULT")]
    return (float(lines[0][1]), float(lines[0][2])) if lines else None


def table(rows: Sequence[Row], hpgo: bool, limit: float) -> str:
    """The rows as Markdown."""
    lines = [
        "# Planning time",
        "",
        f"{date.today()}, {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}; "
        f"load average {os.getloadavg()[0]:.1f} at the end. Written by `benchmarks/planner_speed.py`.",
        "",
        "Processor seconds from the profile's file to the plan, on one core (median of three), and the speedup that",
        "the policy estimates. Other programs were running, which wall time would count.",
        f"HPGO is the package HPGO 0.9.2 on Python 3.7, without its start; — where it gave no answer in {limit:.0f} s.",
        "Speedups of `dapple` are by the paper's latency, the others by HPGO's, and not comparable with each other.",
        "",
        "| model | states | layout | HPGO s | hpgo s | dapple s | best s | HPGO | hpgo | dapple | best |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        original = row.original or (None, None)
        cells = [
            "—" if original[0] is None else f"{original[0]:.2f}",
            *(f"{row.found[policy][0]:.3f}" for policy in POLICIES),
            "—" if original[1] is None else f"{original[1]:.4f}",
            *(f"{row.found[policy][1]:.4f}" for policy in POLICIES),
        ]
        if not hpgo:
            cells[0] = cells[4] = "not run"
        lines.append(f"| {row.model} | {row.states} | {row.layout} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="how long planning takes")
    parser.add_argument("--profiles", type=Path, required=True, help="the folder of the profiles")
    parser.add_argument("--hpgo", help="a Python 3.7 that has HPGO 0.9.2")
    parser.add_argument("--hpgo-limit", type=float, default=HPGO_LIMIT, help="seconds after which HPGO is given up")
    parser.add_argument("--output", type=Path, help="a Markdown file; a picture goes beside it")
    options = parser.parse_args()
    rows: list[Row] = []
    for file, profile_batch, global_batch in MODELS:
        for layout, ends in LAYOUTS:
            path = options.profiles / file
            found = {policy: measure(path, profile_batch, global_batch, ends, policy) for policy in POLICIES}
            original = (
                measure_hpgo(options.hpgo, path, profile_batch, global_batch, ends, options.hpgo_limit)
                if options.hpgo
                else None
            )
            name = Path(file).stem.replace("__graph", "")
            rows.append(Row(name, layout, found["hpgo"][2], ends[-1], {p: f[:2] for p, f in found.items()}, original))
            print(rows[-1], file=sys.stderr, flush=True)
    text = table(rows, bool(options.hpgo), options.hpgo_limit)
    if options.output is None:
        print(text)
    else:
        options.output.write_text(f"{text}\n![cost against states]({options.output.stem}.svg)\n", encoding="utf-8")
        options.output.with_suffix(".svg").write_text(picture(rows), encoding="utf-8")


def picture(rows: Sequence[Row]) -> str:
    """An SVG: seconds against states, both logarithmic, a colour a policy, an outline for 32 devices."""
    import math

    width, height, edge = 640, 400, 50
    colours = {"HPGO 0.9.2": "#c44", "hpgo": "#48c", "dapple": "#d90", "best": "#4a4"}

    def x(states: float) -> float:
        return edge + (math.log10(states) - 1) / 2.4 * (width - 2 * edge)

    def y(seconds: float) -> float:
        return height - edge - (math.log10(seconds) + 3) / 6 * (height - 2 * edge)

    parts = [f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for exponent in range(-3, 4):
        level = y(10.0**exponent)
        parts.append(f'<path d="M{edge} {level:.1f}H{width - edge}" stroke="#ddd"/>')
        parts.append(f'<text x="4" y="{level + 4:.1f}">{10.0**exponent:g} s</text>')
    for states in (10, 30, 100, 300, 1000):
        parts.append(f'<text x="{x(states) - 10:.1f}" y="{height - edge + 18}">{states}</text>')
    parts.append(f'<text x="{width / 2 - 60:.0f}" y="{height - 12}">states (outlined: 32 devices)</text>')
    for index, (name, colour) in enumerate(colours.items()):
        parts.append(f'<circle cx="{edge + 12 + index * 120}" cy="24" r="5" fill="{colour}"/>')
        parts.append(f'<text x="{edge + 22 + index * 120}" y="28">{name}</text>')
    for row in rows:
        points = {name: found[0] for name, found in row.found.items()}
        if row.original is not None:
            points["HPGO 0.9.2"] = row.original[0]
        for name, seconds in points.items():
            outline = ' stroke="#000"' if row.devices == 32 else ""
            parts.append(
                f'<circle cx="{x(row.states):.1f}" cy="{y(seconds):.1f}" r="4" fill="{colours[name]}"{outline}>'
                f"<title>{row.model} {row.layout}: {seconds:.3f} s</title></circle>"
            )
    style = 'font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {style}>{"".join(parts)}</svg>\n'


if __name__ == "__main__":
    main()
