"""
The zoo's models from PyTorch through ONNX to a program: right or not, and what compiling takes.

    python benchmarks/zoo/check.py [NAME ...] [--small] [--device cpu] [--timeout 900] [--folder /tmp/zoo]
                                   [--state FILE] [--output docs/results/zoo.md] [--also STATE ...] [--commit HASH]

Each model is exported (where `--folder` does not hold it yet), compiled without any cache and run in a process of its
own, whose time is limited and whose memory is measured. Its outputs are compared with onnxruntime's, where that is
installed, and with PyTorch's in float64. On a GPU, times are those of the device, next to PyTorch's own in a CUDA
graph. With `--state`, a run that was cut off goes on with the models that are not in the file. Ends with exit code 1 if
a model is wrong, is refused, or takes too long. Needs PyTorch: pip install 'rammer-ir[zoo,test]'.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np

import rammer_ir
from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.errors import RammerError, describe_exception
from rammer_ir.files import write_text_aside
from rammer_ir.zoo.catalogue import CATALOGUE

COLUMNS: Mapping[str, tuple[str, str]] = {
    "nodes": ("nodes", "{}"),
    "operators": ("rOperators", "{}"),
    "tasks": ("rTasks", "{}"),
    "import": ("import, s", "{:.1f}"),
    "passes": ("passes, s", "{:.1f}"),
    "build": ("build, s", "{:.1f}"),
    "compile": ("compile, s", "{:.1f}"),
    "cpu": ("CPU, s", "{:.1f}"),
    "memory": ("memory, MB", "{:.0f}"),
    "model": ("model, MB", "{:.0f}"),
    "run": ("run, ms", "{:.3f}"),
    "torch": ("PyTorch, ms", "{:.3f}"),
    "onnxruntime_error": ("error to onnxruntime", "{:.1e}"),
    "exact_error": ("error to float64", "{:.1e}"),
}
"""What is told of a model: its title, and how it is printed."""

INTRODUCTION = """\
# The zoo

The models of `rammer zoo list`, exported by PyTorch, in fp32 with random weights, by the default strategy. Each is
compiled with empty caches in a process of its own: `compile` is wall time of all phases, `CPU` the seconds of
processors that the process and its compilers took until the first output, memory the most that was resident until then.
A run is the median: of wall time from call to result on a CPU, of device time with warm caches on a GPU, where
PyTorch runs the model in a CUDA graph, without TF32. Errors are relative (norm of the difference over norm of the
reference), the largest of all outputs; `float64` is PyTorch with all arithmetic in float64. Script:
`benchmarks/zoo/check.py`.
"""


def export(name: str, folder: Path, *, small: bool, device: str) -> None:
    """Writes the model, its inputs and what PyTorch makes of them."""
    from rammer_ir.zoo.export import export_example, make_example
    from rammer_ir.zoo.reference import arrays, exact_outputs, graph_seconds

    example = make_example(CATALOGUE[name], small=small)
    export_example(example, folder / f"{name}.onnx")
    np.savez(folder / f"{name}.inputs.npz", **arrays(example))
    np.savez(folder / f"{name}.outputs.npz", **exact_outputs(example))
    facts: dict[str, float] = {}
    if device != "cpu":
        facts["torch"] = graph_seconds(make_example(CATALOGUE[name], small=small)) * 1e3
    (folder / f"{name}.json").write_text(json.dumps(facts))


def check(name: str, folder: Path, *, device: str) -> dict[str, Any]:
    """Compiles, runs and compares an exported model."""
    import onnx

    path = folder / f"{name}.onnx"
    inputs, exact = (dict(np.load(folder / f"{name}.{what}.npz")) for what in ("inputs", "outputs"))
    with rammer_ir.compile(path, device=device) as program:
        outputs = program.run(inputs)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        times = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        seconds = program.compile_seconds
        facts: dict[str, Any] = {
            "operators": program.report.operators,
            "tasks": program.report.tasks,
            **{phase: seconds.get(phase, 0.0) for phase in ("import", "passes", "build")},
            "compile": sum(seconds.values()),
            "cpu": sum(item.ru_utime + item.ru_stime for item in times),
            "memory": memory,
            "model": path.stat().st_size / 1e6,
            "run": run_milliseconds(program, inputs, device),
        }
    facts["nodes"] = len(onnx.load(path).graph.node)
    comparisons = {"exact_error": compare(outputs, exact)}
    if find_spec("onnxruntime") is not None:
        comparisons["onnxruntime_error"] = compare(outputs, run_onnxruntime(path, inputs))
    facts |= {column: comparison.largest_error for column, comparison in comparisons.items()}
    facts["is_close"] = all(comparison.is_close for comparison in comparisons.values())
    return facts


def run_milliseconds(program: rammer_ir.Program, inputs: Mapping[str, Any], device: str) -> float:
    """The median of some runs: device time on a GPU, on a CPU wall time from call to result."""
    if device == "cpu":
        return program.measure(inputs, runs=10, warmup=2).median * 1e3
    from rammer_ir.runtime.cuda.program import CudaProgram

    loaded = cast("CudaProgram", program.loaded)
    return loaded.measure(inputs, runs=10, warmup=2, clock="device").median * 1e3


def in_process(stage: str, name: str, options: argparse.Namespace) -> dict[str, Any]:
    """A stage in a process of its own: its facts, or why there are none."""
    arguments = [name, "--stage", stage, "--folder", str(options.folder), "--device", options.device]
    command = [sys.executable, __file__, *arguments, *(["--small"] if options.small else [])]
    with tempfile.TemporaryDirectory() as empty:
        environment = {**os.environ, "RAMMER_CACHE_DIR": empty}
        try:
            result = subprocess.run(
                command, capture_output=True, text=True, timeout=options.timeout, check=False, env=environment
            )
        except subprocess.TimeoutExpired:
            return {"error": f"{stage} took longer than {options.timeout:.0f} s"}
    last = result.stdout.strip().rpartition("\n")[2]
    if result.returncode or not last.startswith("{"):
        reason = result.stderr.strip().rpartition("\n")[2]
        return {"error": f"{stage} ended with {result.returncode}: {reason[:300]}"}
    return json.loads(last)


def run_stage(options: argparse.Namespace) -> dict[str, Any]:
    """The facts of the one stage that this process is for."""
    (name,) = options.names
    try:
        if options.stage == "export":
            export(name, options.folder, small=options.small, device=options.device)
            return {}
        return check(name, options.folder, device=options.device)
    except RammerError as error:
        return {"error": describe_exception(error)}


def examine(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Everything about a model."""
    facts = options.folder / f"{name}.json"
    exported = {} if facts.exists() else in_process("export", name, options)
    if "error" in exported:
        return exported
    return {**json.loads(facts.read_text()), **in_process("check", name, options)}


def cells(facts: Mapping[str, Any], columns: Sequence[str]) -> str:
    """What is known of a model, as cells of a table."""
    if "error" in facts:
        return f"{facts['error']} |" + " |" * (len(columns) - 1)
    found = (COLUMNS[column][1].format(facts[column]) if column in facts else "" for column in columns)
    return " | ".join(found) + " |"


def section(state: Mapping[str, Any]) -> str:
    """The results of a device, as a part of the page."""
    models: Mapping[str, Mapping[str, Any]] = state["models"]
    columns = [column for column in COLUMNS if any(column in facts for facts in models.values())]
    lines = [
        f"## {state['device']}\n",
        f"{state['date']}, commit {state['commit']}. {state.get('note', '')}".strip() + "\n",
        f"| model | {' | '.join(COLUMNS[column][0] for column in columns)} |",
        "|---" * (len(columns) + 1) + "|",
        *(f"| {name} | {cells(models[name], columns)}" for name in CATALOGUE if name in models),
    ]
    notes = [f"\n`{name}`: {facts['note']}" for name, facts in models.items() if "note" in facts]
    return "\n".join([*lines, *notes]) + "\n"


def is_right(facts: Mapping[str, Any]) -> bool:
    """Whether the model was compiled, and is as near to both references as it should be."""
    return "error" not in facts and facts["is_close"]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of `rammer zoo list`")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for a stage of a model")
    parser.add_argument("--folder", type=Path, help="where exported models are, and stay")
    parser.add_argument("--state", type=Path, help="keep results here, and go on from what it holds")
    parser.add_argument("--output", type=Path, help="a Markdown file")
    parser.add_argument("--also", type=Path, nargs="+", default=[], help="states of other devices, for the same page")
    parser.add_argument("--commit", default="", help="what the page says that it is of")
    parser.add_argument("--note", default="", help="what a reader must know of the machine")
    parser.add_argument("--stage", choices=("export", "check"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Checks all models; prints, or writes, the table."""
    options = parse()
    if options.stage:
        print(json.dumps(run_stage(options)))
        return 0
    state = read_state(options)
    models: dict[str, Any] = state["models"]
    names = options.names or list(CATALOGUE)
    with tempfile.TemporaryDirectory() as scratch:
        options.folder = options.folder or Path(scratch)
        options.folder.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names, 1):
            start = time.monotonic()
            if name not in models:
                models[name] = examine(name, options)
                if options.state:
                    with write_text_aside(options.state) as file:
                        file.write(json.dumps(state, indent=1))
            mark = "" if is_right(models[name]) else "WRONG "
            print(
                f"{number}/{len(names)} {time.monotonic() - start:.0f} s {mark}{name}: "
                f"{cells(models[name], list(COLUMNS))}",
                flush=True,
            )
    if options.output is not None:
        states = [state, *(json.loads(path.read_text()) for path in options.also)]
        with write_text_aside(options.output) as file:
            file.write("\n".join([INTRODUCTION, *map(section, states)]))
    return int(not all(is_right(models[name]) for name in names))


def read_state(options: argparse.Namespace) -> dict[str, Any]:
    """The results so far: device, date, commit, and the models' facts."""
    if options.state is not None and options.state.exists():
        return json.loads(options.state.read_text())
    device = f"{os.cpu_count()} CPU cores" if options.device == "cpu" else options.device
    return {
        "device": device,
        "date": str(date.today()),
        "commit": options.commit,
        "note": options.note,
        "models": {},
    }


if __name__ == "__main__":
    sys.exit(main())
