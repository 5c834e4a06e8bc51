"""
Models on a GPU under every strategy: right, how many launches, how long they take, and how much memory they need.

    python benchmarks/strategies.py [--models squeezenet lstm] [--output docs/results/strategies.md] [--commit HASH]

All programs are compiled side by side, by as many processes as there are cores. Each is compared with onnxruntime on
random inputs, and measured in rounds: one strategy after the other, then all again.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import cast

import onnx

import rammer_ir
from rammer_ir.artefact.writer import write_artefact
from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.compiler import compile_program
from rammer_ir.demo.models import light_model, lstm_model
from rammer_ir.pipelines import STRATEGIES
from rammer_ir.random_inputs import random_inputs
from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.program import CudaProgram

ROUNDS = 3
RUNS = 30


@dataclass
class Measured:
    """One program, its largest relative error, and the medians of its rounds in microseconds."""

    program: rammer_ir.Program
    error: float
    device: list[float] = field(default_factory=list[float])
    wall: list[float] = field(default_factory=list[float])

    def measure(self) -> None:
        loaded = cast("CudaProgram", self.program.loaded)
        inputs = random_inputs(self.program.inputs, seed=0)
        self.device.append(loaded.measure(inputs, runs=RUNS, warmup=3, clock="device").median * 1e6)
        self.wall.append(loaded.measure(inputs, runs=RUNS, warmup=3, clock="wall").median * 1e6)

    def row(self, name: str) -> str:
        report = self.program.report
        compiled = sum(self.program.compile_seconds.values())
        return (
            f"| {name} | {self.program.strategy} | {report.launches} | {report.barriers} | {report.tasks} "
            f"| {report.arena_bytes / 1e6:.2f} | {report.arena_bytes / report.live_bytes:.2f} | {compiled:.1f} "
            f"| {median(self.device):.1f} | {median(self.wall):.1f} | {self.error:.1e} |"
        )


def compile_to(model: Path, strategy: str, output: Path) -> Path:
    """Compiles a model for the first GPU to a file."""
    write_artefact(compile_program(model, device="cuda", strategy=strategy), output)
    return output


def compile_all(
    models: Mapping[str, onnx.ModelProto], strategies: Sequence[str], folder: Path
) -> dict[tuple[str, str], Path]:
    """The files of all models under all strategies."""
    for name, model in models.items():
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    pairs = [(name, strategy) for name in models for strategy in strategies]
    # A process that has begun to use the GPU must not be forked.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        files = pool.map(
            compile_to,
            [folder / f"{name}.onnx" for name, _ in pairs],
            [strategy for _, strategy in pairs],
            [folder / f"{name}-{strategy}.rammer" for name, strategy in pairs],
        )
        return dict(zip(pairs, files, strict=True))


def checked(model: onnx.ModelProto, path: Path) -> Measured:
    """The program of a file; ends the run where it is wrong."""
    program = rammer_ir.load(path)
    inputs = random_inputs(program.inputs, seed=1)
    expected = run_onnxruntime(model, inputs)
    comparisons = [compare(program.run(inputs), expected) for _ in range(3)]
    if not all(comparison.is_close for comparison in comparisons):
        raise SystemExit(f"{path.stem}: wrong by {[comparison.largest_error for comparison in comparisons]}")
    return Measured(program, comparisons[-1].largest_error)


def measured_rows(name: str, model: onnx.ModelProto, files: Sequence[Path]) -> list[str]:
    """The rows of one model."""
    programs = [checked(model, path) for path in files]
    for _ in range(ROUNDS):
        for program in programs:
            program.measure()
    rows = [program.row(name) for program in programs]
    for program in programs:
        program.program.close()
    return rows


def main() -> None:
    """Measures and prints, or writes, the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["squeezenet", "inception_v1", "shufflenet", "lstm"])
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    parser.add_argument("--output", type=Path, help="a Markdown file")
    parser.add_argument("--commit", default="", help="what is measured")
    options = parser.parse_args()
    models = {name: lstm_model() if name == "lstm" else light_model(name) for name in options.models}
    rows = [
        "| model | strategy | launches | barriers | rTasks | arena, MB | arena / live | compile, s | device, us "
        "| wall, us | error |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        files = compile_all(models, options.strategies, Path(folder))
        for name, model in models.items():
            rows += measured_rows(name, model, [files[name, strategy] for strategy in options.strategies])
            print("\n".join(rows[-len(options.strategies) :]), flush=True)
    text = (
        "# Strategies on a GPU\n\n"
        f"{Device().properties.name}, fp32, batch 1, warm L2; device time between two events, wall time from call to "
        f"result with transfers; medians of {ROUNDS} rounds of {RUNS} runs, strategies in turn. {date.today()}, commit "
        f"{options.commit}. Script: `benchmarks/strategies.py`. Errors are relative to onnxruntime on the CPU. "
        "Programs were compiled side by side. The LSTM has 10 layers of 256 and 100 steps.\n\n" + "\n".join(rows) + "\n"
    )
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
