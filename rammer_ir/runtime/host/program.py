"""A program loaded on the CPU."""

import threading
import weakref
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rammer_ir.errors import DeviceError, InvalidInputError, RammerError, VerificationError
from rammer_ir.runtime.bindings import check_names, host_array, scalar_values, visible_shape
from rammer_ir.runtime.host.build import build_library
from rammer_ir.runtime.host.compiler import Compiler, find_compiler
from rammer_ir.runtime.host.cores import available_cores
from rammer_ir.runtime.host.library import ProgramLibrary
from rammer_ir.runtime.host.memory import BytesLike, aligned_array, as_bytes
from rammer_ir.runtime.host.tables import Failure, host_tables
from rammer_ir.runtime.interface import ByteCache, Measurement
from rammer_ir.runtime.machine_code import Buffer
from rammer_ir.runtime.program_image import Binding, ProgramImage
from rammer_ir.runtime.timeout import TimeoutRecord, WaitKind, timeout_error
from rammer_ir.runtime.trace import Trace, trace_of
from rammer_ir.runtime.wall_time import measure_wall_time

# By kind of failure; the numbers are those of tables.hpp.
_RING_RULES: Final = {
    4: "takes or releases {value} chunks of weights for a task, its service function pushes {wanted}",
    5: "pushes a chunk of {value} bytes into a ring with slots of {wanted} bytes",
    6: "holds {value} chunks of weights at once, the ring has {wanted} slots",
}
_NAN_BYTE: Final = 0xFF


class HostProgram:
    """
    A program image, compiled and ready to run on CPU threads, one a vEU; a :class:`LoadedProgram`.

    `weights` holds `image.weight_bytes` bytes; it is used in place where it is aligned to 64 bytes, and must not
    change. `library` is the program's shared library, where it was compiled before. A run is given up when for
    `timeout_seconds` no vEU got anywhere. With `poison`, the arena, scratch, pinned memory and outputs hold NaN until
    the program writes them. With `oversubscribe` there may be more vEUs than cores: slow, but right. With `traced`,
    vEUs record what they do when, for `trace`. Raises CompileError, DeviceError if there are too few cores,
    InvalidInputError if `weights` are too short.
    """

    def __init__(
        self,
        image: ProgramImage,
        weights: BytesLike = b"",
        *,
        compiler: Compiler | None = None,
        cache: ByteCache | None = None,
        library: Buffer | None = None,
        timeout_seconds: float = 10.0,
        poison: bool = False,
        oversubscribe: bool = False,
        traced: bool = False,
    ):
        if not oversubscribe:
            _check_cores(image)
        self.image: Final = image
        self.timeout_seconds: Final = timeout_seconds
        self._poison: Final = poison
        arena = checked_weights(image, weights)
        if library is None:
            chosen = find_compiler() if compiler is None else compiler
            library = build_library(image, chosen, cache, traced=traced)
        self._library: Final = ProgramLibrary(library, host_tables(image, poison=poison), arena)
        self._padded: Final[dict[str, NDArray[np.generic]]] = {}
        self._lock: Final = threading.Lock()
        self._finalizer: Final = weakref.finalize(self, self._library.close)

    def run(self, inputs: Mapping[str, object]) -> dict[str, NDArray[Any]]:
        """
        Run once and return the outputs by name; NumPy and DLPack inputs in host memory are used in place if dense.

        Raises InvalidInputError, ProgramTimeoutError; VerificationError if a body breaks the rules of the weight ring.
        """
        arrays, scalars = bind_inputs(self.image, inputs)
        fill = _NAN_BYTE if self._poison else None
        outputs = [aligned_array(binding.shape, binding.element_dtype, fill=fill) for binding in self.image.outputs]
        with self._lock:
            full = [self._padded_input(*pair) for pair in zip(self.image.inputs, arrays, strict=True)]
            failure = self._library.run([*full, *outputs], scalars, self.timeout_seconds)
        if failure.kind != 0:
            raise _failure_error(self.image, failure, self.timeout_seconds)
        values = dict(zip(self.image.scalars, scalars, strict=True))
        return {
            binding.name: output if binding.length is None else output[: visible_shape(binding, values)[0]]
            for binding, output in zip(self.image.outputs, outputs, strict=True)
        }

    def trace(self, inputs: Mapping[str, object]) -> Trace:
        """What every vEU does when in one run, of a program that is built traced; raises what :meth:`run` raises."""
        self.run(inputs)
        veus = max(launch.veus for launch in self.image.launches)
        with self._lock:
            records = [self._library.trace(veu) for veu in range(veus)]
        return trace_of(self.image, records, "steady clock of the host")

    def measure(self, inputs: Mapping[str, object], *, runs: int = 100, warmup: int = 10) -> Measurement:
        """Wall time of `runs` calls of :meth:`run`, checks of the inputs and allocation of the outputs included."""
        return measure_wall_time(lambda: self.run(inputs), runs=runs, warmup=warmup)

    def close(self) -> None:
        """Join the threads and free the memory."""
        with self._lock:
            self._finalizer()

    def _padded_input(self, binding: Binding, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """`array` itself or, if it is shorter than declared, a copy of that size: bodies may read all of it."""
        if array.shape == binding.shape:
            return array
        padded = self._padded.get(binding.name)
        if padded is None:
            padded = aligned_array(binding.shape, array.dtype, fill=0)
            self._padded[binding.name] = padded
        padded[: array.shape[0]] = array
        padded[array.shape[0] :] = 0
        return padded


def bind_inputs(image: ProgramImage, inputs: Mapping[str, object]) -> tuple[list[NDArray[np.generic]], tuple[int, ...]]:
    """The input arrays in order, of the shapes given, and the scalars in order; raises InvalidInputError."""
    check_names(image, inputs)
    arrays = {binding.name: host_array(binding, inputs[binding.name]) for binding in image.inputs}
    shapes = {name: array.shape for name, array in arrays.items()}
    return list(arrays.values()), scalar_values(image, shapes, inputs)


def checked_weights(image: ProgramImage, weights: BytesLike) -> NDArray[np.uint8]:
    """The weight arena's bytes, aligned; raises InvalidInputError if it is too short."""
    data = as_bytes(weights)
    if data.nbytes < image.weight_bytes:
        raise InvalidInputError(
            f"the weights take {image.weight_bytes} bytes, {data.nbytes} were given", location=image.name
        )
    return data


def _check_cores(image: ProgramImage) -> None:
    veus = max((launch.veus for launch in image.launches), default=0)
    cores = available_cores()
    if veus > cores:
        raise DeviceError(
            f"the program has {veus} vEUs and this process may use {cores} cores: compile it for at most {cores} vEUs",
            location=image.name,
        )


def _failure_error(image: ProgramImage, failure: Failure, timeout_seconds: float) -> RammerError:
    value, wanted, instruction = int(failure.value), int(failure.wanted), int(failure.instruction)
    if failure.kind in _RING_RULES:
        body = image.bodies[int(image.instructions[instruction, 1])].name
        rule = _RING_RULES[failure.kind].format(value=value, wanted=wanted)
        return VerificationError(f"kernel body {body!r} {rule} (instruction {instruction})", location=image.name)
    record = TimeoutRecord(
        WaitKind(failure.kind),
        counter=failure.counter,
        value=value,
        wanted=wanted,
        launch=failure.launch,
        veu=failure.veu,
        instruction=instruction,
        iteration=failure.iteration,
    )
    return timeout_error(image, record, timeout_seconds)
