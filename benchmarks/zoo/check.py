"""
The zoo's models from PyTorch through ONNX to a program: right or not, and what compiling takes.

    python benchmarks/zoo/check.py [NAME ...] [--small] [--device cpu] [--timeout 900] [--folder /tmp/zoo]
                                   [--state FILE] [--output docs/results/zoo.md] [--commit HASH]

Each model is exported (where `--folder` does not hold it yet), compiled without any cache and run in a process of its
own, whose time is limited and whose memory is measured. Its outputs are compared with onnxruntime's and with PyTorch's
in float64. On a GPU, times are those of the device, next to PyTorch's own in a CUDA graph. With `--state`, a run that
was cut off goes on with the models that are not in the file. Ends with exit code 1 if a model is wrong, is refused, or
takes too long. Needs PyTorch: pip install 'rammer-ir[zoo,test]'.
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
from pathlib import Path
from typing import Any, cast

import numpy as np

import rammer_ir
from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.errors import RammerError, describe_exception
from rammer_ir.files import write_text_aside
from rammer_ir.zoo.catalogue import CATALOGUE

COLUMNS: Mapping[str, str] = {
    "nodes": "{}",
    "operators": "{}",
    "tasks": "{}",
    "import": "{:.1f}",
    "passes": "{:.1f}",
    "build": "{:.1f}",
    "compile": "{:.1f}",
    "cpu": "{:.1f}",
    "memory": "{:.0f}",
    "model": "{:.0f}",
    "run": "{:.2f}",
    "torch": "{:.2f}",
    "onnxruntime_error": "{:.1e}",
    "exact_error": "{:.1e}",
}
"""What is told of a model, and how it is printed."""
TITLES = (
    "nodes | rOperators | rTasks | import, s | passes, s | build, s | compile, s | CPU, s | memory, MB | model, MB "
    "| run, ms | PyTorch, ms | error to onnxruntime | error to float64"
)


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
    reference = run_onnxruntime(path, inputs)
    facts["nodes"] = len(onnx.load(path).graph.node)
    facts["onnxruntime_error"] = compare(outputs, reference).largest_error
    facts["exact_error"] = compare(outputs, exact).largest_error
    facts["is_close"] = compare(outputs, reference).is_close and compare(outputs, exact).is_close
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


def row(name: str, facts: Mapping[str, Any]) -> str:
    """A row of the table."""
    if "error" in facts:
        return f"| {name} | {facts['error']} |" + " |" * (len(COLUMNS) - 1)
    cells = (form.format(facts[column]) if column in facts else "" for column, form in COLUMNS.items())
    return f"| {name} | {' | '.join(cells)} |" + ("" if facts["is_close"] else " **wrong**")


def page(rows: Sequence[str], options: argparse.Namespace) -> str:
    """The page of results."""
    clock = "wall time from call to result" if options.device == "cpu" else "device time"
    return (
        "# The zoo\n\n"
        f"Device `{options.device}`, default strategy, fp32, random weights. Exported by PyTorch, compiled with empty "
        "caches, each in a process of its own: `compile` is wall time of all phases, `CPU` the seconds of processors "
        "that the process and its compilers took from their start to the first output, memory the most that was "
        f"resident until then. A run is {clock}, the median of 10. Errors are relative (norm of the difference over "
        f"norm of the reference), the largest of all outputs. {date.today()}, commit {options.commit}. Script: "
        "`benchmarks/zoo/check.py`.\n\n"
        f"| model | {TITLES} |\n{'|---' * (len(COLUMNS) + 1)}|\n" + "\n".join(rows) + "\n"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of `rammer zoo list`")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for a stage of a model")
    parser.add_argument("--folder", type=Path, help="where exported models are, and stay")
    parser.add_argument("--state", type=Path, help="keep results here, and go on from what it holds")
    parser.add_argument("--output", type=Path, help="a Markdown file")
    parser.add_argument("--commit", default="", help="what the page says that it is of")
    parser.add_argument("--stage", choices=("export", "check"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Checks all models; prints, or writes, the table."""
    options = parse()
    if options.stage:
        print(json.dumps(run_stage(options)))
        return 0
    names = options.names or list(CATALOGUE)
    known: dict[str, Any] = json.loads(options.state.read_text()) if options.state and options.state.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        options.folder = options.folder or Path(scratch)
        options.folder.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names, 1):
            start = time.monotonic()
            if name not in known:
                known[name] = examine(name, options)
                if options.state:
                    with write_text_aside(options.state) as file:
                        file.write(json.dumps(known, indent=1))
            print(f"{number}/{len(names)} {time.monotonic() - start:.0f} s {row(name, known[name])}", flush=True)
    if options.output is not None:
        with write_text_aside(options.output) as file:
            file.write(page([row(name, known[name]) for name in CATALOGUE if name in known], options))
    return int(any("error" in known[name] or not known[name]["is_close"] for name in names))


if __name__ == "__main__":
    sys.exit(main())
