"""`python -m rammer_ir.demo`: compiles two models, runs and checks them, and leaves all IR in a folder."""

import argparse
import sys
from pathlib import Path

import onnx
from rich.console import Console

from rammer_ir.cli.progress import spinner
from rammer_ir.cli.report import run_tool
from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.compiler import compile as compile_model
from rammer_ir.demo.models import light_model, lstm_model
from rammer_ir.files import write_text_aside
from rammer_ir.pipelines import STRATEGIES
from rammer_ir.program import Program
from rammer_ir.random_inputs import random_inputs


def main() -> int:
    """Runs the demonstration; 1 if a result differs from onnxruntime's."""
    parser = argparse.ArgumentParser(prog="python -m rammer_ir.demo", description=__doc__)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:NUMBER (default auto)")
    parser.add_argument("--folder", type=Path, default=Path("demo-output"), help="where IR and source go")
    options = parser.parse_args()
    models = {
        "squeezenet": ("SqueezeNet 1.0, 224 x 224, batch 1 (random weights)", light_model("squeezenet")),
        "lstm": ("LSTM, 10 layers, 100 steps, hidden size 256, batch 1 (random weights)", lstm_model()),
    }
    is_close = [show(name, title, model, options.device, options.folder) for name, (title, model) in models.items()]
    return 0 if all(is_close) else 1


def show(name: str, title: str, model: onnx.ModelProto, device: str, folder: Path) -> bool:
    """Compiles one model under each strategy and prints what happened; whether all results are right."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{title}[/bold]")
    is_close = True
    for strategy in STRATEGIES:
        with spinner(f"{name}, {strategy}") as progress:
            program = compile_model(model, device=device, strategy=strategy, progress=progress)
        with program:
            place = folder / name / strategy
            write_levels(program, place)
            is_close &= describe(program, model, console)
            console.print(f"  IR of every level and generated source: {place}/")
    return is_close


def describe(program: Program, model: onnx.ModelProto, console: Console) -> bool:
    """Runs a program once on random inputs and prints its counts, times and error; whether the result is right."""
    inputs = random_inputs(program.inputs, seed=0)
    comparison = compare(program.run(inputs), run_onnxruntime(model, inputs))
    latency = program.measure(inputs, runs=20, warmup=3)
    report = program.report
    phases = ", ".join(f"{phase} {seconds:.2f}" for phase, seconds in program.compile_seconds.items())
    console.print(
        f"strategy {program.strategy} on {program.device}: {report.operators} rOperators, {report.tasks} rTasks in "
        f"{report.waves} waves on {report.veus} vEUs"
    )
    console.print(f"  {report.launches} launches, {report.barriers} barriers, {report.waits} waits of vEUs")
    console.print(
        f"  {report.buffers} buffers in an arena of {report.arena_bytes / 1e6:.2f} MB, "
        f"{report.weight_bytes / 1e6:.2f} MB of weights, {report.bodies} kernel bodies"
    )
    console.print(f"  compiled in {sum(program.compile_seconds.values()):.2f} s ({phases})")
    console.print(f"  latency {latency.median * 1e3:.3f} ms (median of {len(latency.seconds)}, call to result)")
    verdict = "agrees with" if comparison.is_close else "[bold red]DIFFERS from[/bold red]"
    console.print(f"  {verdict} onnxruntime: relative error {comparison.largest_error:.1e}")
    return comparison.is_close


def write_levels(program: Program, folder: Path) -> None:
    """Writes the program's IR at every level, and its generated source."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, level in enumerate(program.levels):
        with write_text_aside(folder / f"{number}-{level}.mlir") as file:
            file.write(program.ir(level))
    suffix = "cpp" if program.device == "cpu" else "cu"
    with write_text_aside(folder / f"{len(program.levels)}-source.{suffix}") as file:
        file.write(program.source)


if __name__ == "__main__":
    sys.exit(run_tool("demo", main, debug="--debug" in sys.argv))
