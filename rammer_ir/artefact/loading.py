"""`rammer_ir.load`: a program from a file, on a device."""

from pathlib import Path
from typing import Final

from rammer_ir.artefact.reader import read_artefact
from rammer_ir.compiled import CompiledProgram
from rammer_ir.errors import DeviceError, MissingCompilerError, RammerError
from rammer_ir.program import Program
from rammer_ir.runtime.machine_code import describe_processors
from rammer_ir.runtime.selection import Target, load_program, select_target

_DEVICES: Final = {"cuda": "cuda", "host": "cpu"}
"""Kinds of devices to how users name them."""


def load(path: str | Path, *, device: str = "auto") -> Program:
    """
    Load a program that `Program.save` or `rammer compile` wrote; needs no compiler where its code fits the device.

    `device` is "cpu", "cuda", "cuda:1", or "auto": the first of the kind that the program was compiled for. The file
    must stay as it is while the program is in use: its weights are mapped. It holds machine code, so load only files
    that you would run. Where there is no code for the device, it is compiled from the source in the file.
    Raises InvalidInputError if the file is no artefact, of another version, or damaged, DeviceError if the program is
    for another device, CompileError if it has no code for this one and there is no compiler.
    """
    compiled = read_artefact(path)
    target = _target(compiled, device, str(path))
    try:
        loaded = load_program(compiled.image, compiled.weights, target, compiled.code)
    except MissingCompilerError as error:
        raise RammerError(
            f"the file has code for {describe_processors(compiled.code)}, not for this machine: {error.message}",
            location=str(path),
        ) from error
    except RammerError as error:
        error.location = str(path) if error.location in (None, compiled.image.name) else error.location
        raise
    return Program(compiled, loaded, str(target))


def _target(compiled: CompiledProgram, device: str, path: str) -> Target:
    """The device to load the program on; raises DeviceError if it is not of the program's kind, or not there."""
    origin = compiled.origin
    if origin.kind not in _DEVICES:
        raise DeviceError(f"the program is for an unknown kind of device, {origin.kind[:20]!r}", location=path)
    own = _DEVICES[origin.kind]
    try:
        target = select_target(own if device == "auto" else device)
    except DeviceError as error:
        reason = error.message.partition(";")[0]
        raise DeviceError(
            f"the program is for device {own} ({origin.device}): {reason}; compile the model for another device",
            location=path,
        ) from error
    if target.kind != origin.kind:
        raise DeviceError(
            f"the program is for device {own} ({origin.device}): to run on {target}, compile the model for that",
            location=path,
        )
    return target
