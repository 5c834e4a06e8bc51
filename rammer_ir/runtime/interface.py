"""The common face of the host and the CUDA runtime: what a loaded program offers, and what both runtimes take."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rammer_ir.runtime.trace import Trace


class ByteCache(Protocol):
    """A store of compiled code by key; :class:`rammer_ir.runtime.cache.CompileCache` keeps it on disk."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, data: bytes) -> None: ...


@dataclass(frozen=True)
class Measurement:
    """
    Times of repeated runs of one program, in seconds, in the order they were taken.

    `clock` is "wall" (from the call to its return) or "device" (between two events on the device);
    `cache` says whether the last-level cache was left as the run before left it ("warm") or flushed ("cold").
    """

    seconds: tuple[float, ...]
    clock: Literal["wall", "device"]
    cache: Literal["warm", "cold"]

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def best(self) -> float:
        return min(self.seconds)


class TracedProgram(Protocol):
    """A loaded program whose vEUs record what they do when."""

    def trace(self, inputs: Mapping[str, object]) -> "Trace":
        """The records of one run; raises what `LoadedProgram.run` raises."""
        ...

    def close(self) -> None:
        """Free threads and memory; the program cannot be run afterwards."""
        ...


class LoadedProgram(Protocol):
    """
    A program image that is compiled, holds its weights and its memory on a device, and may run any number of times.

    Runs of one loaded program exclude each other; several loaded programs are independent.
    """

    def run(self, inputs: Mapping[str, object]) -> "dict[str, NDArray[Any]]":
        """
        Run once and return the outputs by name.

        `inputs` holds an array for each input of the image, and an integer for each scalar that no input's length
        tells. Raises InvalidInputError for wrong inputs, ProgramTimeoutError if a wait did not end in time; after
        either the program may be run again.
        """
        ...

    def measure(self, inputs: Mapping[str, object], *, runs: int, warmup: int) -> Measurement:
        """Time `runs` runs on the same inputs, after `warmup` runs that do not count."""
        ...

    def close(self) -> None:
        """Free threads and memory; the program cannot be run afterwards."""
        ...
