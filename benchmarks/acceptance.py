"""
Models on a GPU: right, repeatable, and how long they take.

    python benchmarks/acceptance.py [--models mlp resnet50] [--strategies base persistent] [--launches 10000]
                                    [--output docs/results/acceptance.md] [--commit HASH]

Every model is compared with onnxruntime on fresh random inputs; the persistent programs are launched many times in a
row, and each launch's outputs must be equal to the first one's, bit for bit.
"""

import argparse
import time
from datetime import date
from pathlib import Path
from typing import cast

import numpy as np
import onnx

import rammer_ir
from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.demo.models import light_model, lstm_model, mlp_model
from rammer_ir.pipelines import STRATEGIES
from rammer_ir.random_inputs import random_inputs
from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.program import CudaProgram

MODELS = {"mlp": mlp_model, "lstm": lstm_model}
"""Models by name, besides the light ones of the `onnx` package."""

SEEDS = 3


def check(model: onnx.ModelProto, program: rammer_ir.Program) -> float:
    """The largest relative error over several random inputs; ends the run where one is wrong."""
    largest = 0.0
    for seed in range(SEEDS):
        inputs = random_inputs(program.inputs, seed)
        comparison = compare(program.run(inputs), run_onnxruntime(model, inputs))
        if not comparison.is_close:
            raise SystemExit(f"{program.strategy}: wrong by {comparison.largest_error}")
        largest = max(largest, comparison.largest_error)
    return largest


def count_equal_launches(loaded: CudaProgram, program: rammer_ir.Program, launches: int) -> float:
    """Launches the program again and again on one input; ends the run where outputs differ. Seconds it took."""
    inputs = random_inputs(program.inputs, seed=99)
    start = time.perf_counter()
    with loaded.bound(inputs) as bound:
        bound.poison()
        bound.submit()
        bound.wait()
        first = bound.outputs()
        for number in range(1, launches):
            bound.submit()
            bound.wait()
            outputs = bound.outputs()
            if any(not np.array_equal(outputs[name], first[name]) for name in first):
                raise SystemExit(f"launch {number} gives other outputs than the first")
    return time.perf_counter() - start


def measure(name: str, model: onnx.ModelProto, strategy: str, launches: int) -> str:
    """One row of the table."""
    with rammer_ir.compile(model, device="cuda", strategy=strategy) as program:
        error = check(model, program)
        loaded = cast("CudaProgram", program.loaded)
        inputs = random_inputs(program.inputs, seed=0)
        device = loaded.measure(inputs, runs=50, warmup=5, clock="device").median * 1e6
        wall = loaded.measure(inputs, runs=50, warmup=5, clock="wall").median * 1e6
        repeated = "-"
        if strategy == "persistent":
            seconds = count_equal_launches(loaded, program, launches)
            repeated = f"{launches} equal in {seconds:.0f} s"
        report, compiled = program.report, sum(program.compile_seconds.values())
    return (
        f"| {name} | {strategy} | {report.operators} | {report.tasks} | {report.launches} | {report.barriers} "
        f"| {report.bodies} | {compiled:.1f} | {device:.1f} | {wall:.1f} | {error:.1e} | {repeated} |"
    )


def main() -> None:
    """Measures and prints, or writes, the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--launches", type=int, default=10_000)
    parser.add_argument("--models", nargs="+", default=["mlp", "squeezenet", "lstm", "resnet50"])
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=["base", "persistent"])
    parser.add_argument("--output", type=Path, help="a Markdown file")
    parser.add_argument("--commit", default="", help="what is measured")
    options = parser.parse_args()
    rows = [
        "| model | strategy | rOperators | rTasks | launches | barriers | bodies | compile, s | device, us | wall, us "
        "| error | repeated |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in options.models:
        model = MODELS[name]() if name in MODELS else light_model(name)
        for strategy in options.strategies:
            rows.append(measure(name, model, strategy, options.launches))
            print(rows[-1], flush=True)
    text = (
        "# Models on a GPU\n\n"
        f"{Device().properties.name}, fp32, batch 1 (the MLP: 16), warm L2; device time between two events, wall time "
        f"from call to result with transfers; medians of 50. {date.today()}, commit {options.commit}. Script: "
        "`benchmarks/acceptance.py`. Errors are relative to onnxruntime on the CPU.\n\n" + "\n".join(rows) + "\n"
    )
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
