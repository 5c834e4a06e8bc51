"""
Models on a GPU under every strategy: right, how many launches, how long they take, and how much memory they need.

    python benchmarks/strategies.py [--models squeezenet lstm] [--output docs/results/strategies.md] [--commit HASH]

Every program is compared with onnxruntime on random inputs, and measured in rounds: one strategy after the other, then
all again.
"""

import argparse
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median
from typing import cast

import onnx

import rammer_ir
from rammer_ir.comparison import compare, run_onnxruntime
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


def checked(model: onnx.ModelProto, strategy: str) -> Measured:
    """The program of a strategy; ends the run where it is wrong."""
    program = rammer_ir.compile(model, device="cuda", strategy=strategy)
    inputs = random_inputs(program.inputs, seed=1)
    expected = run_onnxruntime(model, inputs)
    comparisons = [compare(program.run(inputs), expected) for _ in range(2)]
    if not all(comparison.is_close for comparison in comparisons):
        raise SystemExit(f"{strategy}: wrong by {comparisons[-1].largest_error}")
    return Measured(program, comparisons[-1].largest_error)


def main() -> None:
    """Measures and prints, or writes, the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["squeezenet", "inception_v1", "shufflenet", "lstm"])
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    parser.add_argument("--output", type=Path, help="a Markdown file")
    parser.add_argument("--commit", default="", help="what is measured")
    options = parser.parse_args()
    rows = [
        "| model | strategy | launches | barriers | rTasks | arena, MB | arena / live | compile, s | device, us "
        "| wall, us | error |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in options.models:
        model = lstm_model() if name == "lstm" else light_model(name)
        measured = [checked(model, strategy) for strategy in options.strategies]
        for _ in range(ROUNDS):
            for one in measured:
                one.measure()
        for one in measured:
            rows.append(one.row(name))
            print(rows[-1], flush=True)
            one.program.close()
    text = (
        "# Strategies on a GPU\n\n"
        f"{Device().properties.name}, fp32, batch 1, warm L2; device time between two events, wall time from call to "
        f"result with transfers; medians of {ROUNDS} rounds of {RUNS} runs, strategies in turn. {date.today()}, commit "
        f"{options.commit}. Script: `benchmarks/strategies.py`. Errors are relative to onnxruntime on the CPU. The "
        "LSTM has 10 layers of 256 and 100 steps.\n\n" + "\n".join(rows) + "\n"
    )
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
