"""What `rammer view` and `rammer stats` have in common: a program, compiled or loaded, and inputs to run it on."""

import argparse
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rammer_ir.cli.program_options import add_program_options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rammer_ir.program import Program


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that say which program, on which device, with which inputs."""
    parser.add_argument("model", type=Path, help="an ONNX file, or a file of rammer compile")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:NUMBER (default auto)")
    add_program_options(parser)
    parser.add_argument("--seed", type=int, default=0, help="of random inputs (default 0)")


@contextmanager
def opened(options: argparse.Namespace) -> "Generator[tuple[Program, dict[str, NDArray[np.generic]]]]":
    """The program, compiled or loaded, with random inputs; it is closed when the block ends."""
    from rammer_ir.artefact.container import is_container
    from rammer_ir.random_inputs import random_inputs

    if is_container(options.model):
        from rammer_ir.artefact.loading import load

        program = load(options.model, device=options.device)
    else:
        from rammer_ir.compiler import compile as compile_model

        program = compile_model(
            options.model, device=options.device, strategy=options.strategy, precision=options.precision
        )
    with program:
        yield program, random_inputs(program.inputs, options.seed)
