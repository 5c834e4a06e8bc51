"""Relocatable objects to one loadable cubin with nvJitLink; needs no driver and no GPU."""

import hashlib
import importlib
from collections.abc import Mapping
from typing import Any, Final

from rammer_ir.errors import CompileError
from rammer_ir.runtime.interface import ByteCache

_FORMAT: Final = "linked-1"


def link(name: str, objects: Mapping[str, bytes], architecture: str, cache: ByteCache | None = None) -> bytes:
    """
    Link `objects`, machine code by name, or take the result from `cache`.

    Raises CompileError, with the linker's log, naming the program `name`.
    """
    if cache is None:
        return _link(name, objects, architecture)
    key = _key(objects, architecture)
    linked = cache.get(key)
    if linked is None:
        linked = _link(name, objects, architecture)
        cache.put(key, linked)
    return linked


def _key(objects: Mapping[str, bytes], architecture: str) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {_version()} {architecture}".encode())
    for data in objects.values():
        digest.update(hashlib.sha256(data).digest())
    return f"cuda-{digest.hexdigest()}"


def _linker() -> Any:
    try:
        return importlib.import_module("cuda.bindings.nvjitlink")
    except ImportError as error:
        raise CompileError(f"the CUDA linker is missing ({error}): pip install nvidia-nvjitlink cuda-python") from error


def _version() -> str:
    major, minor = _linker().version()
    return f"{major}.{minor}"


def _link(name: str, objects: Mapping[str, bytes], architecture: str) -> bytes:
    linker = _linker()
    options = [f"-arch={architecture}"]
    handle: Any = linker.create(len(options), options)
    try:
        for object_name, data in objects.items():
            linker.add_data(handle, linker.InputType.CUBIN, data, len(data), object_name)
        linker.complete(handle)
        linked = bytearray(linker.get_linked_cubin_size(handle))
        linker.get_linked_cubin(handle, linked)
    except linker.nvJitLinkError as error:
        log = _log(linker, handle)
        reason = log.splitlines()[0] if log else str(error)
        raise CompileError(f"CUDA code does not link for {architecture}: {reason}", location=name, log=log) from error
    finally:
        linker.destroy(handle)
    return bytes(linked)


def _log(linker: Any, handle: Any) -> str:
    log = bytearray(linker.get_error_log_size(handle))
    if log:
        linker.get_error_log(handle, log)
    return log.rstrip(b"\0 \n").decode(errors="replace")
