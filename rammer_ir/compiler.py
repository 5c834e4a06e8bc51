"""From a model to a program that runs: `rammer_ir.compile`."""

import time
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from rammer_ir.context import new_context
from rammer_ir.errors import InvalidInputError, MissingCompilerError
from rammer_ir.frontend.onnx_importer import ImportedModel, import_model
from rammer_ir.interpreters.interpreted_program import InterpretedProgram
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.pass_pipeline import PassObserver, parse_pass_pipeline, run_passes, verify_module
from rammer_ir.pipelines import DEFAULT_STRATEGY, STRATEGIES
from rammer_ir.program import Program
from rammer_ir.runtime.interface import LoadedProgram
from rammer_ir.runtime.program_image import ProgramImage
from rammer_ir.runtime.selection import Target, load_program, select_target
from rammer_ir.weights.recipes import evaluate_recipes

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

LEVEL_ENDS = {"convert-rop-to-rtask": "rop", "convert-rtask-to-vdevice": "rtask"}
"""The lowerings that leave a level; what goes in is that level's last form."""

Progress = Callable[[str], None]
"""Told what the compiler starts to do."""


@dataclass
class Phases:
    """Wall time of the compilation by phase, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict[str, float])
    progress: Progress | None = None

    @contextmanager
    def phase(self, name: str) -> Generator[None]:
        if self.progress is not None:
            self.progress(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


class _Snapshots(PassObserver):
    """Keeps the module as it is at the end of every level."""

    def __init__(self) -> None:
        self.levels: dict[str, ModuleOp] = {}

    def before_pass(self, pass_: ModulePass, module: ModuleOp) -> None:
        if pass_.name in LEVEL_ENDS:
            self.levels[LEVEL_ENDS[pass_.name]] = module.clone()


def compile(
    model: "str | Path | onnx.ModelProto",
    *,
    device: str = "auto",
    strategy: str | None = None,
    progress: Progress | None = None,
) -> Program:
    """
    Compile a model for a device and load it.

    `model` is a path of an ONNX file, or an `onnx.ModelProto`. `device` is "cpu", "cuda", "cuda:1", or "auto": the
    first CUDA device, else the CPU. `strategy` says how the work is grouped and synchronised: "base" (a launch an
    operator) or "persistent" (one launch, barriers between waves; the default). `progress` is called with the name of
    each phase.
    Without a C++ compiler, a program for the CPU is interpreted, and a warning says so.
    Raises InvalidInputError for a wrong argument or file, UnsupportedModelError for what cannot be compiled,
    DeviceError if the device is not there, CompileError if generated code does not compile.
    """
    chosen = DEFAULT_STRATEGY if strategy is None else strategy
    if chosen not in STRATEGIES:
        raise InvalidInputError(f"there is no strategy '{chosen}'; choose one of {', '.join(STRATEGIES)}")
    target = select_target(device)
    phases = Phases(progress=progress)
    with phases.phase("import"):
        imported = import_model(model)
    with phases.phase("passes"):
        levels = _lower(imported.module, target, chosen)
    with phases.phase("encode"):
        image = encode(imported.module)
    with phases.phase("weights"):
        evaluate_recipes(imported.module, imported.weights)
        weights = imported.weights.arrange(image.weights, image.weight_bytes)
    with phases.phase("build"):
        loaded = _load(image, weights, target, imported)
    return Program(image, loaded, levels, str(target), chosen, dict(phases.seconds))


def _load(image: ProgramImage, weights: "NDArray[np.uint8]", target: Target, imported: ImportedModel) -> LoadedProgram:
    """The program on its device; interpreted where there is no compiler for it, with a warning."""
    try:
        return load_program(image, weights, target)
    except MissingCompilerError as error:
        warnings.warn(f"{error}; until then programs are interpreted, which is slow", stacklevel=3)
        return InterpretedProgram(image, imported.module, imported.weights)


def _lower(module: ModuleOp, target: Target, strategy: str) -> dict[str, ModuleOp]:
    """Runs the strategy's passes; the module's last form at each level."""
    snapshots = _Snapshots()
    run_passes(new_context(), module, passes_for(target, strategy), verify=False, observers=[snapshots])
    verify_module(module, stage=f"strategy {strategy}")
    return {**snapshots.levels, "vdevice": module}


def passes_for(target: Target, strategy: str) -> Sequence[ModulePass]:
    """The passes of a strategy on a device: the device's description first."""
    return parse_pass_pipeline(f"{target.device_pass},{strategy}")
