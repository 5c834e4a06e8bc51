"""From a model to a program that runs: `rammer_ir.compile`."""

import time
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import file_digest
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from rammer_ir.compiled import CompiledProgram, Origin
from rammer_ir.context import new_context
from rammer_ir.counting import report_on
from rammer_ir.errors import InvalidInputError, MissingCompilerError, UnsupportedModelError
from rammer_ir.frontend.onnx_importer import (
    ImportedModel,
    default_name,
    import_model,
    import_prepared,
    read_varying_model,
)
from rammer_ir.frontend.preparation import NO_SHAPES, PreparedModel
from rammer_ir.interpreters.interpreted_program import InterpretedProgram
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.pass_pipeline import PassObserver, run_passes, verify_module
from rammer_ir.program import Program
from rammer_ir.runtime.interface import LoadedProgram
from rammer_ir.runtime.selection import compile_code, compile_target, load_program, select_target
from rammer_ir.settings import Settings
from rammer_ir.weights.arrangement import arrange_weights

if TYPE_CHECKING:
    import onnx

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
    precision: str | None = None,
    shapes: Mapping[str, Sequence[int]] = NO_SHAPES,
    progress: Progress | None = None,
) -> Program:
    """
    Compile a model for a device and load it.

    `model` is a path of an ONNX file, or an `onnx.ModelProto`. `device` is "cpu", "cuda", "cuda:1", or "auto": the
    first CUDA device, else the CPU. `strategy` says how the work is grouped and synchronised: "base" (a launch an
    operator), "wave" (a launch a wave), "graph" (a launch an operator, submitted as one graph), "persistent" (one
    launch, barriers between waves; the default) or "events" (one launch, tasks wait for tasks). `precision` says how
    exactly products of float32 numbers are computed: "fp32" (the default), "tf32" or "3xtf32" (docs/precision.md).
    `shapes` fixes those of inputs that the model leaves open, by name. A model whose shapes still vary, or depend on
    values, is compiled when it is first run with them (`rammer_ir.specialisation`). `progress` is called with the name
    of each phase.
    Without a C++ compiler, a program for the CPU is interpreted, and a warning says so.
    Raises InvalidInputError for a wrong argument or file, UnsupportedModelError for what cannot be compiled,
    DeviceError if the device is not there, CompileError if generated code does not compile.
    """
    settings = Settings.of(select_target(device), strategy, precision)
    phases = Phases(progress=progress)
    try:
        with phases.phase("import"):
            imported, identity = import_model(model, shapes=shapes), _identity(model)
    except UnsupportedModelError as error:
        return _specialised(model, shapes, settings, error)
    return _load(imported, identity, settings, phases)


def _specialised(
    model: "str | Path | onnx.ModelProto",
    shapes: Mapping[str, Sequence[int]],
    settings: Settings,
    refusal: UnsupportedModelError,
) -> Program:
    """A program that is compiled piece by piece when it is used; raises `refusal` if that does not help."""
    from rammer_ir.specialisation.program import SpecialisedProgram
    from rammer_ir.specialisation.reach import may_be_specialised

    prepared = read_varying_model(model, shapes)
    if not may_be_specialised(prepared):
        raise refusal

    def compile_part(part: PreparedModel, name: str) -> Program:
        phases = Phases()
        with phases.phase("import"):
            imported = import_prepared(part, name)
        return _load(imported, (name, None), settings, phases)

    return SpecialisedProgram(prepared, default_name(model), compile_part, settings)


def _load(imported: ImportedModel, identity: tuple[str, str | None], settings: Settings, phases: Phases) -> Program:
    target = settings.target
    compiled = _compile(imported, identity, settings, phases)
    with phases.phase("build"):
        try:
            compiled = replace(compiled, code=compile_code(compiled.image, target))
            loaded = load_program(compiled.image, compiled.weights, target, compiled.code)
        except MissingCompilerError as error:
            loaded = _interpreted(compiled, imported, error)
    return Program(_timed(compiled, phases), loaded, str(target))


def compile_program(
    model: "str | Path | onnx.ModelProto",
    *,
    device: str = "auto",
    strategy: str | None = None,
    precision: str | None = None,
    shapes: Mapping[str, Sequence[int]] = NO_SHAPES,
    architectures: Sequence[str] = (),
    progress: Progress | None = None,
) -> CompiledProgram:
    """
    Compile a model for a device that need not be here.

    As `compile`, but `device` may also be the name of a device's description, such as "h100". `architectures` are those
    of CUDA to make code for, such as "sm_90a"; by default that of the device. Raises MissingCompilerError where there
    is no C++ compiler for a program for the CPU.
    """
    settings = Settings.of(compile_target(device), strategy, precision)
    target = settings.target
    if architectures and target.kind != "cuda":
        raise InvalidInputError("a program for the CPU has no CUDA architecture: choose a device such as h100")
    phases = Phases(progress=progress)
    with phases.phase("import"):
        imported, identity = import_model(model, shapes=shapes), _identity(model)
    compiled = _compile(imported, identity, settings, phases)
    with phases.phase("build"):
        compiled = replace(compiled, code=compile_code(compiled.image, target, architectures))
    return _timed(compiled, phases)


def _compile(
    imported: ImportedModel, identity: tuple[str, str | None], settings: Settings, phases: Phases
) -> CompiledProgram:
    """Everything behind the import but machine code."""
    name, digest = identity
    with phases.phase("passes"):
        levels = _lower(imported.module, settings)
    with phases.phase("encode"):
        image = encode(imported.module)
        report = report_on(levels, image)
    with phases.phase("weights"):
        weights = arrange_weights(imported.module, imported.weights, image.weights, image.weight_bytes)
    origin = Origin(
        model=name,
        model_sha256=digest,
        device=settings.target.description,
        kind=settings.target.kind,
        strategy=settings.strategy,
        precision=settings.precision,
        rammer_version=_version(),
        compile_seconds={},
    )
    return CompiledProgram(image, weights, (), origin, report, levels)


def _identity(model: "str | Path | onnx.ModelProto") -> tuple[str, str | None]:
    """The model's name, and the hash of its file; a model in memory has none."""
    if not isinstance(model, str | Path):
        return model.graph.name, None
    with Path(model).open("rb") as file:
        return Path(model).name, file_digest(file, "sha256").hexdigest()


def _version() -> str:
    try:
        return version("rammer-ir")
    except PackageNotFoundError:
        return "not installed"


def _timed(compiled: CompiledProgram, phases: Phases) -> CompiledProgram:
    return replace(compiled, origin=replace(compiled.origin, compile_seconds=dict(phases.seconds)))


def _interpreted(compiled: CompiledProgram, imported: ImportedModel, error: MissingCompilerError) -> LoadedProgram:
    """The program where there is no compiler for it, with a warning."""
    warnings.warn(f"{error}; until then programs are interpreted, which is slow", stacklevel=3)
    return InterpretedProgram(compiled.image, imported.module, imported.weights)


def _lower(module: ModuleOp, settings: Settings) -> dict[str, ModuleOp]:
    """Runs the strategy's passes; the module's last form at each level."""
    snapshots = _Snapshots()
    run_passes(new_context(), module, settings.passes, verify=False, observers=[snapshots])
    verify_module(module, stage=f"strategy {settings.strategy}")
    return {**snapshots.levels, "vdevice": module}
