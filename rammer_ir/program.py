"""A compiled program: run it, look at it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from xdsl.dialects.builtin import ModuleOp

from rammer_ir.errors import InvalidInputError
from rammer_ir.report import ProgramReport, report_on
from rammer_ir.runtime.interface import LoadedProgram, Measurement
from rammer_ir.runtime.program_image import Binding, ProgramImage

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Program:
    """
    A model that is compiled and loaded on a device.

    `device` and `strategy` say for what; `compile_seconds` is wall time by phase of the compilation.
    """

    def __init__(
        self,
        image: ProgramImage,
        loaded: LoadedProgram,
        levels: Mapping[str, ModuleOp],
        device: str,
        strategy: str,
        compile_seconds: Mapping[str, float],
    ) -> None:
        self._image = image
        self._loaded = loaded
        self._levels = dict(levels)
        self.device = device
        self.strategy = strategy
        self.compile_seconds = dict(compile_seconds)

    @property
    def inputs(self) -> Sequence[Binding]:
        """Names, shapes and dtypes of what `run` takes."""
        return self._image.inputs

    @property
    def outputs(self) -> Sequence[Binding]:
        """Names, shapes and dtypes of what `run` gives."""
        return self._image.outputs

    def run(self, inputs: Mapping[str, object]) -> "dict[str, NDArray[Any]]":
        """
        Run once; the outputs by name, as NumPy arrays.

        Inputs are NumPy arrays or anything that speaks DLPack or the CUDA array interface, by name. Raises
        InvalidInputError where one is missing or has the wrong shape or dtype, ProgramTimeoutError where a wait did not
        end.
        """
        return self._loaded.run(inputs)

    def measure(self, inputs: Mapping[str, object], *, runs: int = 100, warmup: int = 10) -> Measurement:
        """Time `runs` runs on the same inputs, after `warmup` that do not count."""
        return self._loaded.measure(inputs, runs=runs, warmup=warmup)

    @property
    def levels(self) -> Sequence[str]:
        """Names of the levels that `ir` prints, from the model down."""
        return tuple(self._levels)

    def ir(self, level: str) -> str:
        """The program's IR at a level: "rop", "rtask" or "vdevice". Raises InvalidInputError for another name."""
        if level not in self._levels:
            raise InvalidInputError(f"there is no level '{level}'; choose one of {', '.join(self._levels)}")
        return f"{self._levels[level]}\n"

    @property
    def source(self) -> str:
        """The generated source text of all kernel bodies: CUDA C, or C++ for a program on the CPU."""
        return "\n".join(body.source for body in self._image.bodies)

    @property
    def loaded(self) -> LoadedProgram:
        """The program as its runtime holds it, which can do more than `run`: device times, repeated submission."""
        return self._loaded

    @property
    def image(self) -> ProgramImage:
        """The tables that the runtime executes."""
        return self._image

    @property
    def report(self) -> ProgramReport:
        """Counts: operators, tasks, waves, waits, buffers, bytes."""
        return report_on(self._levels, self._image)

    def close(self) -> None:
        """Free the program's memory and threads; it cannot be run afterwards."""
        self._loaded.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
