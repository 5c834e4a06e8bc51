"""A program loaded on a CUDA device."""

import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from rammer_ir.errors import InvalidInputError, RammerError
from rammer_ir.runtime.cuda.bindings import DeviceBindings
from rammer_ir.runtime.cuda.bound import BoundProgram, LoadedParts
from rammer_ir.runtime.cuda.build import BuiltProgram, build
from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.launcher import Launcher
from rammer_ir.runtime.cuda.memory import DeviceMemory
from rammer_ir.runtime.cuda.timing import DeviceTimer
from rammer_ir.runtime.cuda.trace import TraceMemory
from rammer_ir.runtime.interface import ByteCache, Measurement
from rammer_ir.runtime.program_image import ProgramImage
from rammer_ir.runtime.trace import Trace, trace_of


class CudaProgram:
    """
    A program image, compiled and ready to run on one CUDA device; a :class:`LoadedProgram`.

    `weights` holds `image.weight_bytes` bytes and is copied to the device. `built` are the kernels, where they were
    compiled before. A wait of the program that takes longer than `timeout_seconds` ends the run. With `poison`, the
    arena and the outputs hold NaN until the program writes them. With `traced`, vEUs record what they do when.
    Raises CompileError, DeviceError if the device is too small for the program, InvalidInputError if `weights` are too
    short, VerificationError if the image is not well-formed.
    """

    def __init__(
        self,
        image: ProgramImage,
        weights: bytes | NDArray[np.uint8] = b"",
        *,
        device: Device | None = None,
        cache: ByteCache | None = None,
        built: BuiltProgram | None = None,
        timeout_seconds: float = 10.0,
        poison: bool = False,
        traced: bool = False,
    ):
        self.image: Final = image
        self.device: Final = Device() if device is None else device
        architecture = self.device.properties.architecture
        self.built: Final = build(image, architecture, cache, traced=traced) if built is None else built
        self._poison: Final = poison
        self._lock: Final = threading.Lock()
        self._binder: int | None = None
        self._parts: Final = _load(self.device, image, self.built, weights, timeout_seconds)

    def run(self, inputs: Mapping[str, object]) -> dict[str, NDArray[Any]]:
        """
        Run once and return the outputs by name.

        Inputs are NumPy arrays or whatever speaks DLPack or the CUDA array interface; dense, aligned arrays on the
        device are used in place. Raises InvalidInputError, ProgramTimeoutError; VerificationError if a body breaks the
        rules of the weight ring. After any of them the program may be run again.
        """
        with self.bound(inputs) as program:
            if self._poison:
                program.poison()
            program.submit()
            program.wait()
            return program.outputs()

    def trace(self, inputs: Mapping[str, object]) -> Trace:
        """What every vEU does when in one run, of a program that is built traced; raises what :meth:`run` raises."""
        parts = self._parts
        with self.bound(inputs) as program:
            memory = TraceMemory(self.device, self.image, program.scalars)
            try:
                parts.launcher.record_into(memory.places(), parts.stream)
                memory.clear(parts.stream)
                program.submit()
                program.wait()
                records = memory.read(self.device, parts.stream)
            finally:
                parts.launcher.record_into([(0, 0)] * len(self.image.launches), parts.stream)
                memory.close()
        return trace_of(self.image, records, "SM clocks, by the global clock of the GPU")

    @contextmanager
    def bound(self, inputs: Mapping[str, object]) -> Generator[BoundProgram]:
        """
        The program with these inputs on the device, to be run any number of times without copies.

        Other threads that run the program wait meanwhile. Raises InvalidInputError; RammerError if this thread has
        bound it already.
        """
        if self._binder == threading.get_ident():
            raise RammerError("the program is bound in this thread: use what bound() gave", location=self.image.name)
        with self._lock, self.device.current():
            self._binder = threading.get_ident()
            try:
                addresses, scalars = self._parts.bindings.bind(inputs, self._parts.stream)
                yield BoundProgram(self._parts, addresses, scalars)
            finally:
                self._binder = None

    def measure(
        self,
        inputs: Mapping[str, object],
        *,
        runs: int = 100,
        warmup: int = 10,
        clock: Literal["wall", "device"] = "wall",
        cache: Literal["warm", "cold"] = "warm",
    ) -> Measurement:
        """
        Time `runs` runs on the same inputs, after `warmup` runs that do not count.

        "wall" is the time of :meth:`run`: inputs and outputs are transferred. "device" is the time between two events
        around the launches. "cold" flushes the L2 before each run.
        """
        if clock == "device":
            with self.bound(inputs) as program:
                return program.measure(runs=runs, warmup=warmup, cache=cache)
        seconds: list[float] = []
        for number in range(-warmup, runs):
            if cache == "cold":
                self._flush()
            start = time.perf_counter()
            self.run(inputs)
            if number >= 0:
                seconds.append(time.perf_counter() - start)
        return Measurement(tuple(seconds), clock="wall", cache=cache)

    def close(self) -> None:
        """Free the device's memory and unload the kernels."""
        parts = self._parts
        with self._lock, self.device.current():
            for part in (parts.launcher, parts.bindings, parts.timer, parts.arena, parts.weights):
                part.close()
            self.device.driver.cuStreamDestroy(parts.stream)

    def _flush(self) -> None:
        with self._lock, self.device.current():
            self._parts.timer.flush()
            self.device.driver.cuStreamSynchronize(self._parts.stream)


def _load(
    device: Device,
    image: ProgramImage,
    built: BuiltProgram,
    weights: bytes | NDArray[np.uint8],
    timeout_seconds: float,
) -> LoadedParts:
    data = np.frombuffer(weights, np.uint8) if isinstance(weights, bytes) else np.ascontiguousarray(weights, np.uint8)
    if data.nbytes < image.weight_bytes:
        raise InvalidInputError(
            f"the weights take {image.weight_bytes} bytes, {data.nbytes} were given", location=image.name
        )
    with device.current():
        stream = device.driver.cuStreamCreate(0)
        uploaded = DeviceMemory(device, image.weight_bytes)
        uploaded.write(data[: image.weight_bytes], stream)
        device.driver.cuStreamSynchronize(stream)
        return LoadedParts(
            image=image,
            device=device,
            stream=stream,
            launcher=Launcher(device, image, built, timeout_seconds),
            bindings=DeviceBindings(device, image),
            arena=DeviceMemory(device, image.arena_bytes),
            weights=uploaded,
            timer=DeviceTimer(device, stream),
            timeout_seconds=timeout_seconds,
        )
