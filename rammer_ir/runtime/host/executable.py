"""A program as an executable of its own: how ThreadSanitizer, which watches a whole process, gets to see it."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rammer_ir.errors import DeviceError
from rammer_ir.runtime.bindings import visible_shape
from rammer_ir.runtime.host.build import build_main
from rammer_ir.runtime.host.compiler import Sanitizer, find_compiler
from rammer_ir.runtime.host.memory import BytesLike
from rammer_ir.runtime.host.program import bind_inputs, checked_weights
from rammer_ir.runtime.host.tables import host_tables
from rammer_ir.runtime.interface import ByteCache
from rammer_ir.runtime.program_image import ProgramImage

_SECTION: Final = 64
_UNLUCKY_LAYOUT: Final = "unexpected memory mapping"


@dataclass(frozen=True)
class Executable:
    """A program with its inputs: `program` is the executable, `data` what it reads. Everything lies in one folder."""

    image: ProgramImage
    scalars: Mapping[str, int]
    program: Path
    data: Path

    def run(self, *, runs: int = 1, timeout_seconds: float = 60.0) -> dict[str, NDArray[Any]]:
        """
        Run `runs` times in one process; returns the outputs of the last.

        Raises DeviceError if the process fails; its message ends with what the process wrote, such as the data races
        that ThreadSanitizer found.
        """
        output = self.data.with_suffix(".out")
        command = [str(self.program), str(self.data), str(output), str(runs), str(timeout_seconds)]
        done = _call(command)
        setarch = shutil.which("setarch")
        if _UNLUCKY_LAYOUT in done.stderr and setarch is not None:
            done = _call([setarch, "-R", *command])
        if done.returncode != 0:
            raise DeviceError(f"{self.program} ended with {done.returncode}: {done.stderr}", location=self.image.name)
        return self._outputs(output.read_bytes())

    def _outputs(self, data: bytes) -> dict[str, NDArray[Any]]:
        outputs: dict[str, NDArray[Any]] = {}
        offset = 0
        for binding in self.image.outputs:
            count = int(np.prod(binding.shape, dtype=np.int64))
            array = np.frombuffer(data, binding.element_dtype, count, offset).reshape(binding.shape)
            outputs[binding.name] = array[tuple(slice(size) for size in visible_shape(binding, self.scalars))]
            offset += array.nbytes
        return outputs


def build_executable(
    image: ProgramImage,
    inputs: Mapping[str, object],
    weights: BytesLike = b"",
    *,
    folder: Path,
    sanitize: Sanitizer | None = "thread",
    poison: bool = True,
    cache: ByteCache | None = None,
) -> Executable:
    """Write the executable of `image` for these inputs to `folder`; raises CompileError and InvalidInputError."""
    arrays, scalars = bind_inputs(image, inputs)
    tables = host_tables(image, poison=poison)
    output_bytes = [int(np.prod(b.shape, dtype=np.int64)) * b.element_dtype.itemsize for b in image.outputs]
    padded = [_declared_size(binding.shape, array) for binding, array in zip(image.inputs, arrays, strict=True)]
    program, data = folder / "program", folder / "program.data"
    program.write_bytes(build_main(image, find_compiler(sanitize), cache))
    program.chmod(0o700)
    sections = (
        *tables.arrays,
        checked_weights(image, weights),
        np.array(scalars, np.int32),
        np.array(output_bytes, np.int64),
        *padded,
    )
    data.write_bytes(b"".join(_sections(sections)))
    return Executable(image, dict(zip(image.scalars, scalars, strict=True)), program, data)


def _declared_size(shape: tuple[int, ...], array: NDArray[np.generic]) -> NDArray[np.generic]:
    declared = np.zeros(shape, array.dtype)
    declared[tuple(slice(size) for size in array.shape)] = array
    return declared


def _sections(arrays: Iterable[NDArray[np.generic]]) -> Iterable[bytes]:
    for array in arrays:
        yield array.nbytes.to_bytes(8, "little").ljust(_SECTION, b"\0")
        yield array.tobytes() + bytes(-array.nbytes % _SECTION)


def _call(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TSAN_OPTIONS": "exitcode=66:halt_on_error=0"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
