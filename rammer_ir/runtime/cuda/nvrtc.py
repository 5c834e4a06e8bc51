"""CUDA C++ to relocatable machine code with NVRTC; needs no driver and no GPU."""

import hashlib
import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Final

from rammer_ir.errors import CompileError
from rammer_ir.runtime.interface import ByteCache
from rammer_ir.runtime.machine_code import FunctionResources

_FORMAT: Final = "cubin-1"
_SUCCESS: Final = 0

_FUNCTION: Final = re.compile(
    r"Function properties for (?P<name>\S+)\s*\n[^\n]*?(?P<stack>\d+) bytes stack frame, "
    r"(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads"
)
_SERIOUS: Final = re.compile(r"^.*(?:\bC75\d\d\b|setmaxnreg.*ignored|wgmma.*serializ).*$", re.MULTILINE | re.IGNORECASE)
"""Warnings that mean code an order slower than written, such as C7510: serialised wgmma."""


@dataclass(frozen=True)
class CompiledObject:
    """Relocatable machine code of one source text, and what the compiler said of it."""

    cubin: bytes
    functions: tuple[FunctionResources, ...]


@dataclass(frozen=True)
class CompileRequest:
    """
    One source text and how to compile it.

    `name` appears in errors; `headers` are texts by the name they are included under; `definitions` are macros;
    `registers` bounds the registers a thread uses (0: no bound); `assembler_level`, 0 to 3, is that of ptxas.
    """

    name: str
    source: str
    headers: Mapping[str, str]
    definitions: Mapping[str, int]
    architecture: str
    registers: int = 0
    assembler_level: int = 3

    @property
    def options(self) -> tuple[str, ...]:
        options = [
            f"-arch={self.architecture}",
            "-std=c++17",
            "-rdc=true",
            "-lineinfo",
            "--no-cache",
            "--ptxas-options=-v",
            f"--ptxas-options=-O{self.assembler_level}",
            *(f"-D{key}={value}" for key, value in self.definitions.items()),
        ]
        if self.registers > 0:
            options.append(f"--maxrregcount={self.registers}")
        return tuple(options)

    @property
    def key(self) -> str:
        """Depends on all that the machine code depends on."""
        parts = [_FORMAT, nvrtc_version(), *self.options, self.source]
        for name, text in sorted(self.headers.items()):
            parts += [name, text]
        digest = hashlib.sha256()
        for part in parts:
            digest.update(f"{len(part)}:{part}".encode())
        return f"cuda-{digest.hexdigest()}"


def compile_object(request: CompileRequest, cache: ByteCache | None = None) -> CompiledObject:
    """
    Compile one source text, or take it from `cache`.

    Several threads may compile at the same time. Raises CompileError, with the compiler's log, for errors and for
    warnings that mean much slower code than written.
    """
    if cache is None:
        return _compile(request)
    stored = cache.get(request.key)
    if stored is not None:
        return _unpack(stored)
    compiled = _compile(request)
    cache.put(request.key, _pack(compiled))
    return compiled


@cache
def nvrtc_version() -> str:
    """Version of the compiler, "13.0"."""
    _, major, minor = _nvrtc().nvrtcVersion()
    return f"{major}.{minor}"


@cache
def _nvrtc() -> Any:
    try:
        return importlib.import_module("cuda.bindings.nvrtc")
    except ImportError as error:
        raise CompileError(
            f"the CUDA compiler is missing ({error}): pip install nvidia-cuda-nvrtc cuda-python"
        ) from error


def _compile(request: CompileRequest) -> CompiledObject:
    nvrtc = _nvrtc()
    names = [name.encode() for name in request.headers]
    texts = [text.encode() for text in request.headers.values()]
    options = [option.encode() for option in request.options]
    result, program = nvrtc.nvrtcCreateProgram(
        request.source.encode(), f"{request.name}.cu".encode(), len(names), texts, names
    )
    _check(result, request, "")
    try:
        (result,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        log = _read(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program).rstrip(b"\0 \n").decode()
        _check(result, request, log)
        warning = serious_warning(log)
        if warning is not None:
            raise CompileError(f"the code would be slow: {warning}", location=f"kernel {request.name}", log=log)
        return CompiledObject(_read(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program), function_resources(log))
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def serious_warning(log: str) -> str | None:
    """The first line of the assembler's log that says that code will be much slower than written."""
    found = _SERIOUS.search(log)
    return None if found is None else found.group().strip()


def function_resources(log: str) -> tuple[FunctionResources, ...]:
    """What the assembler's log says of each function."""
    return tuple(
        FunctionResources(found["name"], int(found["stack"]), int(found["stores"]), int(found["loads"]))
        for found in _FUNCTION.finditer(log)
    )


def _check(result: Any, request: CompileRequest, log: str) -> None:
    if int(result) == _SUCCESS:
        return
    errors = [line.strip() for line in log.splitlines() if "error" in line]
    reason = errors[0] if errors else str(result)
    raise CompileError(
        f"CUDA code does not compile for {request.architecture}: {reason}", location=f"kernel {request.name}", log=log
    )


def _read(size_of: Any, read: Any, program: Any) -> bytes:
    _, size = size_of(program)
    buffer = bytearray(size)
    read(program, buffer)
    return bytes(buffer)


def _pack(compiled: CompiledObject) -> bytes:
    head = json.dumps([asdict(function) for function in compiled.functions]).encode()
    return head + b"\n" + compiled.cubin


def _unpack(stored: bytes) -> CompiledObject:
    head, _, cubin = stored.partition(b"\n")
    return CompiledObject(cubin, tuple(FunctionResources(**function) for function in json.loads(head)))
