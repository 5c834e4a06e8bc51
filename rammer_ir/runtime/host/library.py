"""The interface of a built program, called through ctypes; the interpreter's lock is released during a call."""

import ctypes
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rammer_ir.errors import DeviceError
from rammer_ir.runtime.host.tables import Failure, HostTables, TablesPointers
from rammer_ir.runtime.machine_code import Buffer
from rammer_ir.runtime.trace import TRACE_RECORD

_MESSAGE_BYTES: Final = 256


class UnloadableLibraryError(DeviceError):
    """The system's loader refuses a shared library."""


class ProgramLibrary:
    """A program's shared library with its program created: memory allocated, threads waiting. One user at a time."""

    def __init__(self, library: Buffer, tables: HostTables, weights: NDArray[np.uint8]):
        self._library: Final = _load(library)
        # The program points into these.
        self._kept: Final = (tables, weights)
        addresses = [array.ctypes.data for array in (*tables.arrays, weights)]
        self._pointers: Final = TablesPointers(*addresses)
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        self._program: ctypes.c_void_p | None = self._library.rammer_create(
            ctypes.byref(self._pointers), message, _MESSAGE_BYTES
        )
        if self._program is None:
            raise DeviceError(f"the program cannot be loaded on the CPU: {message.value.decode()}")
        self._process: Final = os.getpid()

    def run(self, bindings: Sequence[NDArray[np.generic]], scalars: Sequence[int], timeout_seconds: float) -> Failure:
        """Run once on inputs, then outputs, of the declared sizes; `kind` of the result is 0 if all went well."""
        if self._program is None or os.getpid() != self._process:
            raise DeviceError("the program is closed, or was loaded by another process: load it again")
        addresses = (ctypes.c_void_p * len(bindings))(*(array.ctypes.data for array in bindings))
        numbers = (ctypes.c_int32 * len(scalars))(*scalars)
        failure = Failure()
        self._library.rammer_run(self._program, addresses, numbers, int(timeout_seconds * 1e9), ctypes.byref(failure))
        return failure

    def trace(self, veu: int) -> NDArray[np.void]:
        """What a vEU recorded in the last run, of dtype `TRACE_RECORD`; of a library that is built traced."""
        records = ctypes.c_void_p()
        function = self._library.rammer_trace
        function.restype = ctypes.c_int64
        function.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
        count = function(self._program, veu, ctypes.byref(records))
        if count == 0 or records.value is None:
            return np.zeros(0, TRACE_RECORD)
        memory = (ctypes.c_char * (count * TRACE_RECORD.itemsize)).from_address(records.value)
        return np.frombuffer(memory, TRACE_RECORD).copy()

    def close(self) -> None:
        """Join the threads and free the memory. A child process has no such threads, and leaves them alone."""
        if self._program is not None and os.getpid() == self._process:
            self._library.rammer_destroy(self._program)
        self._program = None


def _load(library: Buffer) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory(prefix="rammer-") as folder:
        path = Path(folder) / "program.so"
        path.write_bytes(library)
        try:
            loaded = ctypes.CDLL(str(path))
        except OSError as error:
            raise UnloadableLibraryError(f"the compiled program cannot be loaded: {error}") from error
    loaded.rammer_create.restype = ctypes.c_void_p
    loaded.rammer_create.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64]
    loaded.rammer_run.restype = ctypes.c_int64
    loaded.rammer_run.argtypes = [
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p
    ]  # fmt: skip
    loaded.rammer_destroy.restype = None
    loaded.rammer_destroy.argtypes = [ctypes.c_void_p]
    return loaded
