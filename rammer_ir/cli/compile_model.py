"""`rammer compile`: a model to a file that runs without the compiler."""

import argparse
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rammer_ir.cli.program_options import add_program_options
from rammer_ir.cli.shapes import add_shape_argument, shapes_of
from rammer_ir.errors import InvalidInputError
from rammer_ir.runtime.selection import ABSENT_DEVICES

if TYPE_CHECKING:
    from rammer_ir.compiled import CompiledProgram

SUFFIX = ".rammer"


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:  # pyright: ignore[reportPrivateUsage]
    """Adds `compile` to the commands of `rammer`."""
    absent = ", ".join(ABSENT_DEVICES)
    parser = commands.add_parser("compile", help="compile a model to a file that runs without the compiler")
    parser.add_argument("model", type=Path, help="an ONNX file")
    parser.add_argument("-o", "--output", type=Path, help=f"the file to write (default: the model's, with {SUFFIX})")
    parser.add_argument(
        "--device",
        default="auto",
        help=f"auto, cpu, cuda or cuda:NUMBER; or, for a GPU that is not here: {absent} (default auto)",
    )
    parser.add_argument(
        "--arch",
        action="append",
        default=[],
        metavar="ARCHITECTURE",
        help="a CUDA architecture to make code for, such as sm_90a; may be given several times (default: the device's)",
    )
    add_program_options(parser)
    add_shape_argument(parser)
    parser.add_argument("--keep-ir", action="store_true", help="put the IR of every level into the file too")
    parser.add_argument("--json", action="store_true", help="print the result for machines")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Compiles and writes; the exit code."""
    from rammer_ir.artefact.writer import write_artefact
    from rammer_ir.compiler import compile_program

    output: Path = options.output or options.model.with_suffix(SUFFIX)
    if not output.absolute().parent.is_dir():
        raise InvalidInputError("there is no such folder to write to", location=str(output))
    with progress_of("compile", quiet=options.json) as report_phase:
        compiled = compile_program(
            options.model,
            device=options.device,
            strategy=options.strategy,
            precision=options.precision,
            shapes=shapes_of(options.shape),
            architectures=options.arch,
            progress=report_phase,
        )
    write_artefact(compiled, output, keep_ir=options.keep_ir)
    size = output.stat().st_size
    print(json.dumps(_result(compiled, output, size), indent=2) if options.json else _text(compiled, output, size))
    return 0


def progress_of(work: str, *, quiet: bool) -> "AbstractContextManager[Any]":
    """A spinner on stderr that names the phase, where someone watches."""
    if quiet or not sys.stderr.isatty():
        return nullcontext(None)
    from rammer_ir.cli.progress import spinner

    return spinner(work)


def _result(compiled: "CompiledProgram", output: Path, size: int) -> dict[str, object]:
    return {
        "output": str(output),
        "bytes": size,
        "origin": asdict(compiled.origin),
        "program": asdict(compiled.report),
        "processors": [code.processor for code in compiled.code],
    }


def _text(compiled: "CompiledProgram", output: Path, size: int) -> str:
    origin, report = compiled.origin, compiled.report
    seconds = origin.compile_seconds
    phases = ", ".join(f"{name} {time:.2f}" for name, time in seconds.items())
    code = ", ".join(code.processor for code in compiled.code)
    return "\n".join(
        [
            f"{output}: {size / 1e6:.2f} MB, strategy {origin.strategy} for {origin.device}, code for {code}",
            f"{report.operators} rOperators, {report.tasks} rTasks, {report.waves} waves, {report.launches} launches "
            f"on {report.veus} vEUs, {report.weight_bytes / 1e6:.2f} MB of weights, {report.bodies} kernel bodies",
            f"compiled in {sum(seconds.values()):.2f} s: {phases}",
        ]
    )
