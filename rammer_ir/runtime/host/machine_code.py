"""A program's shared library in the form that is kept in files, and back."""

import platform
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from rammer_ir.runtime.machine_code import Buffer, CodePart, MachineCode, covers_launches, runtime_fingerprint
from rammer_ir.runtime.program_image import ProgramImage

_DESCRIPTION: Final = Path("/proc/cpuinfo")
_FIELDS: Final = ("flags", "Features")
"""The lines of the description that list instruction sets, on x86 and on ARM."""


def machine_code(image: ProgramImage, library: bytes) -> MachineCode:
    """
    A library that was compiled on this machine, to be kept.

    It was compiled for this very processor: any that lacks one of its instruction sets cannot be trusted to run it.
    """
    return MachineCode(
        processor=processor(),
        features=tuple(sorted(features())),
        runtime=runtime_fingerprint("host"),
        parts=(CodePart(tuple(range(len(image.launches))), library),),
    )


def kept_library(image: ProgramImage, codes: Sequence[MachineCode]) -> Buffer | None:
    """The library among kept code that this machine can run; None where there is none."""
    for code in codes:
        fits = code.processor == processor() and bool(code.features) and features().issuperset(code.features)
        is_current = code.runtime == runtime_fingerprint("host")
        if fits and is_current and len(code.parts) == 1 and covers_launches(code, len(image.launches)):
            return code.parts[0].data
    return None


def processor() -> str:
    """Operating system and instruction set of this machine, such as "linux-x86_64"."""
    return f"{sys.platform}-{platform.machine()}"


@cache
def features() -> frozenset[str]:
    """The instruction sets of this machine's CPU; empty where the system does not tell them."""
    try:
        description = _DESCRIPTION.read_text()
    except OSError:
        return frozenset()
    for line in description.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in _FIELDS:
            return frozenset(value.split())
    return frozenset()
