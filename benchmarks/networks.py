"""
Whole networks under every strategy: right on memory that holds NaN before each run, and what they consist of.

    python benchmarks/networks.py [--device cuda] [--models resnet50 gru] [--strategies base] [--jobs 8]
                                  [--output docs/results/networks.md] [--commit HASH]

Every program runs on several fresh random inputs, and is compared with onnxruntime. Its memory holds NaN until the
program writes it: what it reads too early or never wrote shows. Ends with exit code 1 if a program is wrong.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rammer_ir.artefact.reader import read_artefact
from rammer_ir.artefact.writer import write_artefact
from rammer_ir.comparison import Comparison, compare, run_onnxruntime
from rammer_ir.compiled import CompiledProgram
from rammer_ir.compiler import compile_program
from rammer_ir.demo.models import LIGHT_MODELS, gru_model, light_model, lstm_model
from rammer_ir.errors import RammerError
from rammer_ir.pipelines import STRATEGIES
from rammer_ir.random_inputs import random_inputs
from rammer_ir.runtime.cache import CompileCache
from rammer_ir.runtime.interface import LoadedProgram, Measurement
from rammer_ir.runtime.program_image import Binding
from rammer_ir.runtime.selection import load_program, select_target

MODELS = {**{name: partial(light_model, name) for name in LIGHT_MODELS}, "lstm": lstm_model, "gru": gru_model}
PHASES = ("import", "passes", "encode", "weights", "build")
SEEDS = 3
HEADER = (
    "| network | strategy | error | rOperators | rTasks | launches | barriers | arena, MB | weights, MB | "
    f"{', '.join(PHASES)}, s | compile, s | run, ms |\n" + "|---" * 12 + "|"
)


def compile_to_file(name: str, strategy: str, device: str, path: Path) -> str | None:
    """Compiles a network to a file; the error's text if it cannot be compiled."""
    try:
        write_artefact(compile_program(MODELS[name](), device=device, strategy=strategy), path)
    except RammerError as error:
        return str(error)
    return None


def compile_all(
    cases: Sequence[tuple[str, str]], device: str, folder: Path, jobs: int
) -> Iterator[tuple[str, str, Path, str | None]]:
    """Every case as it gets ready, in order: network, strategy, the program's file, and the error if there is one."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        paths = [folder / f"{name}-{strategy}.rammer" for name, strategy in cases]
        running = [
            pool.submit(compile_to_file, name, strategy, device, path)
            for (name, strategy), path in zip(cases, paths, strict=True)
        ]
        for (name, strategy), path, future in zip(cases, paths, running, strict=True):
            yield name, strategy, path, future.result()


def load_poisoned(compiled: CompiledProgram, device: str) -> LoadedProgram:
    """The program on memory that holds NaN before each run."""
    if select_target(device).kind == "cuda":
        from rammer_ir.runtime.cuda.driver import Device
        from rammer_ir.runtime.cuda.machine_code import kept_kernels
        from rammer_ir.runtime.cuda.program import CudaProgram

        cuda = Device(select_target(device).ordinal or 0)
        built = kept_kernels(compiled.image, compiled.code, cuda.properties.architecture)
        return CudaProgram(
            compiled.image, compiled.weights, device=cuda, built=built, cache=CompileCache(), poison=True
        )
    from rammer_ir.runtime.host.machine_code import kept_library
    from rammer_ir.runtime.host.program import HostProgram

    library = kept_library(compiled.image, compiled.code)
    return HostProgram(compiled.image, compiled.weights, library=library, cache=CompileCache(), poison=True)


Arrays = Mapping[str, NDArray[np.generic]]


class References:
    """What onnxruntime makes of random inputs; computed once for a network."""

    def __init__(self) -> None:
        self._known: dict[str, Sequence[tuple[Arrays, Arrays]]] = {}

    def of(self, name: str, inputs: Sequence[Binding]) -> Sequence[tuple[Arrays, Arrays]]:
        """Pairs of inputs and outputs."""
        if name not in self._known:
            model = MODELS[name]()
            arrays = [random_inputs(inputs, seed) for seed in range(SEEDS)]
            self._known[name] = [(each, run_onnxruntime(model, each)) for each in arrays]
        return self._known[name]


def check(references: Sequence[tuple[Arrays, Arrays]], compiled: CompiledProgram, device: str) -> Comparison:
    """The largest relative error over several inputs."""
    loaded = load_poisoned(compiled, device)
    try:
        found = [compare(loaded.run(inputs), outputs) for inputs, outputs in references]
    finally:
        loaded.close()
    return max(found, key=lambda comparison: (not comparison.is_close, comparison.largest_error))


def measure(compiled: CompiledProgram, device: str, runs: int) -> Measurement:
    """Wall time of some runs, transfers included."""
    loaded = load_program(compiled.image, compiled.weights, select_target(device), compiled.code)
    try:
        return loaded.measure(random_inputs(compiled.image.inputs, seed=0), runs=runs, warmup=1)
    finally:
        loaded.close()


def row(name: str, compiled: CompiledProgram, comparison: Comparison, measurement: Measurement) -> str:
    """One row of the table."""
    report, seconds = compiled.report, compiled.origin.compile_seconds
    split = " + ".join(f"{seconds.get(phase, 0.0):.1f}" for phase in PHASES)
    error = f"{comparison.largest_error:.1e}" + ("" if comparison.is_close else " **wrong**")
    return (
        f"| {name} | {compiled.origin.strategy} | {error} | {report.operators} | {report.tasks} | {report.launches} "
        f"| {report.barriers} | {report.arena_bytes / 1e6:.2f} | {report.weight_bytes / 1e6:.1f} | {split} "
        f"| {sum(seconds.values()):.1f} | {measurement.median * 1e3:.2f} |"
    )


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:NUMBER (default cpu)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES))
    parser.add_argument("--jobs", type=int, default=1, help="compilations at a time (default 1)")
    parser.add_argument("--runs", type=int, default=10, help="measured runs of a program (default 10)")
    parser.add_argument("--output", type=Path, help="a Markdown file")
    parser.add_argument("--commit", default="", help="what is measured")
    return parser.parse_args()


def main() -> int:
    """Checks and measures; prints, or writes, the table."""
    options = parse_options()
    rows: list[str] = []
    failures: list[str] = []
    references = References()
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        cases = list(product(options.models, options.strategies))
        for name, strategy, path, error in compile_all(cases, options.device, Path(folder), options.jobs):
            if error is not None:
                failures.append(f"{name} {strategy}: {error}")
                rows.append(f"| {name} | {strategy} | {error} |" + " |" * 9)
            else:
                compiled = read_artefact(path)
                comparison = check(references.of(name, compiled.image.inputs), compiled, options.device)
                if not comparison.is_close:
                    failures.append(f"{name} {strategy}: wrong by {comparison.largest_error}")
                rows.append(row(name, compiled, comparison, measure(compiled, options.device, options.runs)))
                path.unlink()
            print(rows[-1], flush=True)
    if options.output is not None:
        text = (
            "# Networks under every strategy\n\n"
            f"Device `{options.device}`, fp32, batch 1, random weights. The error is relative to onnxruntime on the "
            f"CPU, the largest of {SEEDS} random inputs, on memory that held NaN before each run; times of the run are "
            f"wall time from call to result, the median of {options.runs}. {options.jobs} compilations at a time. "
            f"{date.today()}, commit {options.commit}. Script: `benchmarks/networks.py`.\n\n"
        )
        options.output.write_text("\n".join([text + HEADER, *rows]) + "\n", encoding="utf-8")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
