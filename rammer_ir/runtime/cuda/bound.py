"""A program whose inputs are on the device: what runs it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from numpy.typing import NDArray

from rammer_ir.runtime.cuda.arrays import DeviceArray
from rammer_ir.runtime.cuda.bindings import DeviceBindings
from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.failure import failure_error
from rammer_ir.runtime.cuda.launcher import Launcher
from rammer_ir.runtime.cuda.memory import DeviceMemory
from rammer_ir.runtime.cuda.timing import DeviceTimer
from rammer_ir.runtime.interface import Measurement
from rammer_ir.runtime.program_image import ProgramImage

_NAN_BYTE: Final = 0xFF


@dataclass(frozen=True)
class LoadedParts:
    """What a loaded program consists of on its device; `stream` orders all that it does."""

    image: ProgramImage
    device: Device
    stream: Any
    launcher: Launcher
    bindings: DeviceBindings
    arena: DeviceMemory
    weights: DeviceMemory
    timer: DeviceTimer
    timeout_seconds: float


class BoundProgram:
    """
    A program with its inputs on the device, to be run any number of times without copies.

    The device's context is current, and nothing else runs the program, as long as it is in use.
    """

    def __init__(self, parts: LoadedParts, addresses: list[int], scalars: tuple[int, ...]):
        self._parts: Final = parts
        self._scalars: Final = scalars
        # The pinned space has no address in global memory.
        self._spaces: Final = [parts.arena.address, parts.weights.address, 0, *addresses]

    @property
    def scalars(self) -> tuple[int, ...]:
        """The run-time integers of the program, in order."""
        return self._scalars

    def submit(self) -> None:
        """Enqueue one run; does not wait for it."""
        self._parts.launcher.submit(self._spaces, self._scalars, self._parts.stream)

    def captured(self) -> "CapturedRun":
        """One run as a CUDA graph: the same launches, submitted at once."""
        return CapturedRun(self._parts.device, self._parts.stream, self.submit)

    def poison(self) -> None:
        """Fill the arena and the outputs with NaN, ahead of the next run."""
        self._parts.arena.fill(_NAN_BYTE, self._parts.stream)
        self._parts.bindings.fill_outputs(_NAN_BYTE, self._parts.stream)

    def wait(self) -> None:
        """
        Wait for the runs submitted so far.

        Raises ProgramTimeoutError if a wait of one of them did not end in time, VerificationError if a body broke the
        rules of the weight ring; the program may be run again after either.
        """
        parts = self._parts
        parts.device.driver.cuStreamSynchronize(parts.stream)
        record = parts.launcher.failure()
        if record is None:
            return
        # The epochs start again: words of earlier runs must not look valid to later ones.
        parts.arena.fill(0, parts.stream)
        parts.launcher.reset(parts.stream)
        parts.device.driver.cuStreamSynchronize(parts.stream)
        raise failure_error(parts.image, record, parts.timeout_seconds)

    def outputs(self) -> dict[str, NDArray[Any]]:
        """The outputs of the last run, copied to host memory."""
        return self._parts.bindings.read_outputs(self._scalars, self._parts.stream)

    def device_outputs(self) -> dict[str, DeviceArray]:
        """The outputs where they are; the next run overwrites them."""
        return self._parts.bindings.device_outputs(self._scalars)

    def measure(
        self,
        *,
        runs: int = 100,
        warmup: int = 10,
        cache: Literal["warm", "cold"] = "warm",
        submission: Literal["launches", "graph"] = "launches",
    ) -> Measurement:
        """
        Device time of `runs` runs, after `warmup` runs that do not count; "cold" flushes the L2 before each.

        Raises what :meth:`wait` raises.
        """
        graph = self.captured() if submission == "graph" else None
        submit = self.submit if graph is None else graph.submit
        measurement = self._parts.timer.measure(submit, runs=runs, warmup=warmup, cache=cache)
        self.wait()
        if graph is not None:
            graph.close()
        return measurement


class CapturedRun:
    """A CUDA graph of what `submit` enqueues in `stream`."""

    def __init__(self, device: Device, stream: Any, submit: Callable[[], None]):
        driver = device.driver
        self._device: Final = device
        self._stream: Final = stream
        driver.cuStreamBeginCapture(stream, driver.module.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
        try:
            submit()
        finally:
            graph = driver.cuStreamEndCapture(stream)
        self._executable: Final[Any] = driver.cuGraphInstantiate(graph, 0)
        driver.cuGraphDestroy(graph)

    def submit(self) -> None:
        """Enqueue the graph; does not wait for it."""
        self._device.driver.cuGraphLaunch(self._executable, self._stream)

    def close(self) -> None:
        self._device.driver.cuGraphExecDestroy(self._executable)
