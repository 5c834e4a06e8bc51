"""Compiled code of a program, as it may be kept in a file and loaded without a compiler."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

Buffer = bytes | memoryview

_TEXTS: Final = {"cuda": (("device", ".cuh"),), "host": (("device", ".hpp"), ("host", ".hpp"), ("host", ".cpp"))}
"""The runtime's own sources by kind of device: (folder, ending)."""


@dataclass(frozen=True)
class FunctionResources:
    """Local memory of one function, in bytes a thread."""

    name: str
    stack: int
    spill_stores: int
    spill_loads: int


@dataclass(frozen=True)
class CodePart:
    """One loadable piece: a linked cubin, or a shared library; `launches` are the numbers of those that it serves."""

    launches: tuple[int, ...]
    data: Buffer


@dataclass(frozen=True)
class MachineCode:
    """
    A program's code for one kind of processor.

    `processor` is a CUDA architecture ("sm_90a"), or operating system and instruction set of a CPU ("linux-x86_64");
    `features` are the instruction sets that the processor must have beyond that. `runtime` is the fingerprint of the
    runtime that the code is part of, and `functions` what the compiler said of the bodies.
    """

    processor: str
    features: tuple[str, ...]
    runtime: str
    parts: tuple[CodePart, ...]
    functions: tuple[FunctionResources, ...] = ()


@cache
def runtime_fingerprint(kind: Literal["cuda", "host"]) -> str:
    """A hash of the runtime's sources for a kind of device: code that was compiled with others does not fit it."""
    digest = hashlib.sha256()
    for folder, ending in _TEXTS[kind]:
        texts = [item for item in files("rammer_ir.runtime").joinpath(folder).iterdir() if item.name.endswith(ending)]
        for text in sorted(texts, key=lambda item: item.name):
            digest.update(hashlib.sha256(text.read_bytes()).digest())
    return digest.hexdigest()


def covers_launches(code: MachineCode, launches: int) -> bool:
    """Whether each of a program's launches is served by one part, exactly."""
    served = sorted(number for part in code.parts for number in part.launches)
    return served == list(range(launches)) and all(part.launches for part in code.parts)


def describe_processors(codes: Sequence[MachineCode]) -> str:
    """The processors that there is code for, as a list for people."""
    return ", ".join(code.processor for code in codes) or "none"
