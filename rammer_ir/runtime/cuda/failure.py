"""What a launch reports when a wait fails, and the error that it becomes."""

import ctypes
from typing import Final

from rammer_ir.errors import RammerError, VerificationError
from rammer_ir.runtime.program_image import Opcode, ProgramImage
from rammer_ir.runtime.timeout import TimeoutRecord, WaitKind, timeout_error

_RING: Final = 4
_RING_EXCESS: Final = 5


class FailureRecord(ctypes.Structure):
    """`rammer::Error`: written by the device into the host's memory; kind 0 means that nothing failed."""

    _fields_ = [
        ("kind", ctypes.c_int32),
        ("index", ctypes.c_int32),
        ("value", ctypes.c_uint32),
        ("wanted", ctypes.c_uint32),
        ("launch", ctypes.c_int32),
        ("veu", ctypes.c_int32),
        ("instruction", ctypes.c_int32),
        ("iteration", ctypes.c_int32),
    ]


def failure_error(image: ProgramImage, record: FailureRecord, timeout_seconds: float) -> RammerError:
    """The error for `record`: a ProgramTimeoutError, or a VerificationError where bodies misuse the ring."""
    if record.kind == _RING:
        return VerificationError(
            f"{_body(image, record.instruction)} takes more chunks of weights than its service function pushes: none "
            f"came within {timeout_seconds:g} s (vEU {record.veu})",
            location=image.name,
        )
    if record.kind == _RING_EXCESS:
        launch = image.launches[int(record.launch)].name
        return VerificationError(
            f"service functions of launch {launch!r} pushed more chunks of weights than were taken (vEU {record.veu})",
            location=image.name,
        )
    return timeout_error(
        image,
        TimeoutRecord(
            kind=WaitKind(record.kind),
            counter=record.index,
            value=record.value,
            wanted=record.wanted,
            launch=record.launch,
            veu=record.veu,
            instruction=record.instruction,
            iteration=record.iteration,
        ),
        timeout_seconds,
    )


def _body(image: ProgramImage, instruction: int) -> str:
    words = image.instructions[instruction]
    return f"kernel body {image.bodies[int(words[1])].name!r}" if words[0] == Opcode.RUN else "a kernel body"
