"""`rammer run`: one run of a model or of a compiled program, on given or random inputs."""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rammer_ir.cli.compile_model import progress_of
from rammer_ir.cli.program_options import add_program_options
from rammer_ir.cli.shapes import add_shape_argument, shapes_of
from rammer_ir.errors import InvalidInputError
from rammer_ir.files import write_bytes_aside

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rammer_ir.comparison import Comparison
    from rammer_ir.program import Program

RUNS = 20
"""Runs whose median is the latency."""


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:  # pyright: ignore[reportPrivateUsage]
    """Adds `run` to the commands of `rammer`."""
    parser = commands.add_parser("run", help="compile a model, or load a compiled one, and run it once")
    parser.add_argument("model", type=Path, help="an ONNX file, or a file of rammer compile")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=FILE.npy", help="an input; else random")
    parser.add_argument("--output", action="append", default=[], metavar="NAME=FILE.npy", help="where an output goes")
    add_shape_argument(parser)
    parser.add_argument("--seed", type=int, default=0, help="of random inputs (default 0)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:NUMBER (default auto)")
    add_program_options(parser)
    parser.add_argument("--check", action="store_true", help="compare with onnxruntime; exit code 1 if they differ")
    parser.add_argument("--json", action="store_true", help="print the result for machines")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Compiles or loads, and runs; the exit code."""
    from rammer_ir.artefact.container import is_container

    if is_container(options.model):
        start = time.perf_counter()
        program = _load(options)
        load_seconds = time.perf_counter() - start
    else:
        program, load_seconds = _compile(options), None
    with program:
        inputs = _inputs(program, options.input, options.seed)
        outputs = program.run(inputs)
        latency = program.measure(inputs, runs=RUNS, warmup=3)
        comparison = _compare(options.model, program.precision, inputs, outputs) if options.check else None
        _save(outputs, options.output)
        result = _result(program, outputs, latency.median, comparison) | {"load_seconds": load_seconds}
    print(json.dumps(result, indent=2) if options.json else _text(result))
    return 0 if comparison is None or comparison.is_close else 1


def _compile(options: argparse.Namespace) -> "Program":
    from rammer_ir.compiler import compile as compile_model

    with progress_of("compile", quiet=options.json) as report_phase:
        return compile_model(
            options.model,
            device=options.device,
            strategy=options.strategy,
            precision=options.precision,
            shapes=shapes_of(options.shape),
            progress=report_phase,
        )


def _load(options: argparse.Namespace) -> "Program":
    from rammer_ir.artefact.loading import load

    where = str(options.model)
    if options.shape:
        raise InvalidInputError("--shape is for ONNX files: a compiled program has its shapes", location=where)
    if options.check:
        raise InvalidInputError("--check compares with onnxruntime, which runs ONNX files alone", location=where)
    program = load(options.model, device=options.device)
    if options.strategy not in (None, program.strategy):
        program.close()
        raise InvalidInputError(f"the program was compiled for strategy {program.strategy}", location=where)
    if options.precision not in (None, program.precision):
        program.close()
        raise InvalidInputError(f"the program was compiled with precision {program.precision}", location=where)
    return program


def _inputs(program: "Program", given: Sequence[str], seed: int) -> "dict[str, NDArray[np.generic]]":
    import numpy as np

    from rammer_ir.random_inputs import random_inputs

    pairs = _pairs(given, "--input")
    files = {name for name, _ in pairs}
    inputs = random_inputs([binding for binding in program.inputs if binding.name not in files], seed)
    names = [binding.name for binding in program.inputs]
    for name, path in pairs:
        if name not in names:
            raise InvalidInputError(f"the model has no input '{name}'; it has {', '.join(names)}")
        try:
            inputs[name] = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise InvalidInputError(f"not a NumPy array file: {error}", location=str(path)) from error
    return inputs


def _pairs(given: Sequence[str], option: str) -> list[tuple[str, Path]]:
    pairs: list[tuple[str, Path]] = []
    for text in given:
        name, separator, path = text.rpartition("=")
        if not separator or not name or not path:
            raise InvalidInputError(f"{option} takes NAME=FILE.npy, not '{text}'")
        pairs.append((name, Path(path)))
    return pairs


def _compare(
    model: Path,
    precision: str,
    inputs: "Mapping[str, NDArray[np.generic]]",
    outputs: "Mapping[str, NDArray[np.generic]]",
) -> "Comparison":
    from rammer_ir.comparison import compare, run_onnxruntime

    return compare(outputs, run_onnxruntime(model, inputs), precision)


def _save(outputs: "Mapping[str, NDArray[np.generic]]", wanted: Sequence[str]) -> None:
    import numpy as np

    for name, path in _pairs(wanted, "--output"):
        if name not in outputs:
            raise InvalidInputError(f"the model has no output '{name}'; it has {', '.join(outputs)}")
        with write_bytes_aside(path) as file:
            np.save(file, outputs[name], allow_pickle=False)


def _result(
    program: "Program",
    outputs: "Mapping[str, NDArray[np.generic]]",
    latency: float,
    comparison: "Comparison | None",
) -> dict[str, object]:
    return {
        "device": program.device,
        "strategy": program.strategy,
        "precision": program.precision,
        "outputs": {name: {"shape": list(value.shape), "dtype": str(value.dtype)} for name, value in outputs.items()},
        "latency_ms": latency * 1e3,
        "compile_seconds": program.compile_seconds,
        "program": asdict(program.report),
        "check": None if comparison is None else asdict(comparison),
    }


def _text(result: Mapping[str, object]) -> str:
    """The result for people, a fact a line."""
    report = cast("dict[str, int]", result["program"])
    loaded = cast("float | None", result["load_seconds"])
    seconds = cast("dict[str, float]", result["compile_seconds"])
    phases = ", ".join(f"{name} {time:.2f}" for name, time in seconds.items())
    lines = [
        f"device {result['device']}, strategy {result['strategy']}, precision {result['precision']}, "
        f"{report['veus']} vEUs",
        f"{report['operators']} rOperators, {report['tasks']} rTasks, {report['waves']} waves, {report['launches']} "
        f"launches, {report['barriers']} barriers, {report['waits']} waits",
        f"{report['buffers']} buffers in an arena of {report['arena_bytes']} bytes, {report['weight_bytes']} bytes of "
        f"weights, {report['bodies']} kernel bodies",
        f"compiled in {sum(seconds.values()):.2f} s: {phases}" if loaded is None else f"loaded in {loaded:.3f} s",
        f"latency {cast('float', result['latency_ms']):.3f} ms (median of {RUNS}, from call to result)",
    ]
    for name, form in cast("dict[str, dict[str, object]]", result["outputs"]).items():
        lines.append(f"output {name}: {form['dtype']} {form['shape']}")
    check = cast("dict[str, object] | None", result["check"])
    if check is not None:
        verdict = "agrees with" if check["is_close"] else "DIFFERS from"
        lines.append(f"{verdict} onnxruntime: largest relative error {check['largest_error']:.2e}")
    return "\n".join(lines)
