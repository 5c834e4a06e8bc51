"""A compiled program: run it, look at it, keep it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rammer_ir.compiled import CompiledProgram, Origin
from rammer_ir.errors import InvalidInputError
from rammer_ir.report import ProgramReport
from rammer_ir.runtime.interface import LoadedProgram, Measurement
from rammer_ir.runtime.program_image import Binding, ProgramImage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rammer_ir.runtime.trace import Trace


class Program:
    """
    A model that is compiled and loaded on a device.

    `device` says on which.
    """

    def __init__(self, compiled: CompiledProgram, loaded: LoadedProgram, device: str) -> None:
        self._compiled = compiled
        self._loaded = loaded
        self.device = device

    @property
    def compiled(self) -> CompiledProgram:
        """What was loaded on the device."""
        return self._compiled

    @property
    def variants(self) -> int:
        """How many programs for different shapes the model has at this time."""
        return 1

    @property
    def inputs(self) -> Sequence[Binding]:
        """Names, shapes and dtypes of what `run` takes."""
        return self.image.inputs

    @property
    def outputs(self) -> Sequence[Binding]:
        """Names, shapes and dtypes of what `run` gives."""
        return self.image.outputs

    def run(self, inputs: Mapping[str, object]) -> "dict[str, NDArray[Any]]":
        """
        Run once; the outputs by name, as NumPy arrays.

        Inputs are NumPy arrays or anything that speaks DLPack or the CUDA array interface, by name. Raises
        InvalidInputError where one is missing or has the wrong shape or dtype, ProgramTimeoutError where a wait did not
        end.
        """
        return self.loaded.run(inputs)

    def measure(self, inputs: Mapping[str, object], *, runs: int = 100, warmup: int = 10) -> Measurement:
        """Time `runs` runs on the same inputs, after `warmup` that do not count."""
        return self.loaded.measure(inputs, runs=runs, warmup=warmup)

    def trace(self, inputs: Mapping[str, object]) -> "Trace":
        """
        What every vEU does when in one run, after one to warm up: arrays of starts and ends, by a calibrated clock.

        The dispatcher is built again, with records; the program itself has none. Raises what `run` raises, and
        MissingCompilerError where there is no C++ compiler for a program on the CPU.
        """
        from rammer_ir.runtime.selection import load_traced, select_target

        traced = load_traced(self.compiled.image, self.compiled.weights, select_target(self.device))
        try:
            traced.trace(inputs)
            return traced.trace(inputs)
        finally:
            traced.close()

    def save(self, path: str | Path, *, keep_ir: bool = False) -> None:
        """
        Write the program to a file that `rammer_ir.load` and `rammer run` take, with its weights and compiled code.

        With `keep_ir`, the text of each level goes into the file too. Raises OSError where the file cannot be written.
        """
        from rammer_ir.artefact.writer import write_artefact

        write_artefact(self.compiled, path, keep_ir=keep_ir)

    @property
    def strategy(self) -> str:
        """How the work is grouped and synchronised."""
        return self.compiled.origin.strategy

    @property
    def precision(self) -> str:
        """How exactly products of float32 numbers are computed."""
        return self.compiled.origin.precision

    @property
    def compile_seconds(self) -> dict[str, float]:
        """Wall time of the compilation by phase."""
        return dict(self.compiled.origin.compile_seconds)

    @property
    def origin(self) -> Origin:
        """The model, the compiler and the device that the program was made for."""
        return self.compiled.origin

    @property
    def levels(self) -> Sequence[str]:
        """Names of the levels that `ir` prints, from the model down; none for a program whose file kept none."""
        return tuple(self.compiled.levels)

    def ir(self, level: str) -> str:
        """The program's IR at a level: "rop", "rtask" or "vdevice". Raises InvalidInputError for another name."""
        if level in self.compiled.levels:
            return str(self.compiled.levels[level]) + "\n"
        if not self.compiled.levels:
            raise InvalidInputError("the program's file holds no IR: save it with keep_ir=True, or compile the model")
        raise InvalidInputError(f"there is no level '{level}'; choose one of {', '.join(self.levels)}")

    @property
    def source(self) -> str:
        """The generated source text of all kernel bodies: CUDA C, or C++ for a program on the CPU."""
        return "\n".join(body.source for body in self.image.bodies)

    @property
    def loaded(self) -> LoadedProgram:
        """The program as its runtime holds it, which can do more than `run`: device times, repeated submission."""
        return self._loaded

    @property
    def image(self) -> ProgramImage:
        """The tables that the runtime executes."""
        return self.compiled.image

    @property
    def report(self) -> ProgramReport:
        """Counts: operators, tasks, waves, waits, buffers, bytes."""
        return self.compiled.report

    def close(self) -> None:
        """Free the program's memory and threads; it cannot be run afterwards."""
        self.loaded.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
