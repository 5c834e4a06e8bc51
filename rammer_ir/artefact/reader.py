"""A file to a compiled program: every index and size is checked, as nobody knows who wrote the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rammer_ir.artefact.container import Container, damaged, open_container
from rammer_ir.artefact.records import from_json, integer_of, list_of, object_of
from rammer_ir.artefact.writer import IMAGE_SECTIONS, IR_PREFIX, WEIGHTS, code_section
from rammer_ir.compiled import CompiledProgram, Origin
from rammer_ir.dtypes import NARROW_FLOATS, NARROW_INTEGERS
from rammer_ir.errors import InvalidInputError, VerificationError
from rammer_ir.report import ProgramReport
from rammer_ir.runtime.image_checks import check_tables
from rammer_ir.runtime.machine_code import CodePart, MachineCode, covers_launches
from rammer_ir.runtime.program_image import INSTRUCTION_WORDS, ProgramImage

_FIELDS: Final = {"origin", "report", "program", "provenance", "code", "levels"}


def read_artefact(path: str | Path) -> CompiledProgram:
    """
    The program in a file, whose weights stay there: they are mapped, and read when they are used.

    Raises InvalidInputError if the file is no artefact, of another version, or damaged; OSError if it cannot be read.
    """
    container = open_container(path)
    try:
        manifest = container.manifest
        if set(manifest) != _FIELDS:
            raise InvalidInputError("its manifest has other fields than expected")
        image = _image(container)
        check_tables(image)
        return CompiledProgram(
            image=image,
            weights=_weights(container, image),
            code=tuple(_code(container, record, image) for record in list_of(manifest["code"], "code")),
            origin=from_json(Origin, manifest["origin"], "origin"),
            report=from_json(ProgramReport, manifest["report"], "report"),
            levels=_levels(container),
        )
    except (InvalidInputError, VerificationError) as error:
        if error.location == str(container.path):
            raise
        raise damaged(container.path, error.message) from error


def _image(container: Container) -> ProgramImage:
    instructions, descriptors = (_words(container, name) for name in IMAGE_SECTIONS)
    if instructions.size % INSTRUCTION_WORDS != 0:
        raise InvalidInputError("its instruction table ends within an instruction")
    given = {
        "instructions": instructions.reshape(-1, INSTRUCTION_WORDS),
        "descriptors": descriptors,
        "provenance": _provenance(container.manifest["provenance"]),
    }
    image = from_json(ProgramImage, container.manifest["program"], "program", given)
    for binding in (*image.inputs, *image.outputs):
        if binding.dtype not in _dtype_names():
            raise InvalidInputError(f"'{binding.name}' has the unknown dtype '{binding.dtype[:20]}'")
    return image


def _words(container: Container, name: str) -> NDArray[np.int32]:
    data = container.read(name)
    if data.nbytes % 4 != 0:
        raise InvalidInputError(f"section '{name}' ends within a word")
    return np.frombuffer(data, "<i4").astype(np.int32, copy=False)


def _provenance(value: object) -> dict[int, str]:
    nodes: dict[int, str] = {}
    for item in list_of(value, "provenance"):
        pair = list_of(item, "provenance")
        if len(pair) != 2 or not isinstance(pair[1], str):
            raise InvalidInputError("provenance is no list of pairs")
        nodes[integer_of(pair[0], "provenance")] = pair[1]
    return nodes


def _dtype_names() -> frozenset[str]:
    return frozenset({"bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64))}) | {
        "float16",
        "float32",
        "float64",
        *NARROW_FLOATS,
        *NARROW_INTEGERS,
    }


def _weights(container: Container, image: ProgramImage) -> NDArray[np.uint8]:
    weights = np.frombuffer(container.read(WEIGHTS), np.uint8)
    if weights.nbytes != image.weight_bytes:
        raise InvalidInputError(f"it has {weights.nbytes} bytes of weights, not {image.weight_bytes}")
    return weights


def _code(container: Container, value: object, image: ProgramImage) -> MachineCode:
    record = object_of(value, "code")
    launches = [list_of(item, "code.parts") for item in list_of(record.get("parts"), "code.parts")]
    processor = record.get("processor")
    parts = tuple(
        CodePart(
            tuple(integer_of(number, "code.parts") for number in numbers),
            container.read(code_section(str(processor), part)),
        )
        for part, numbers in enumerate(launches)
    )
    fields = {name: item for name, item in record.items() if name != "parts"}
    code = from_json(MachineCode, fields, "code", {"parts": parts})
    if not covers_launches(code, len(image.launches)):
        raise InvalidInputError(f"its code for {code.processor} is not for the program's launches")
    return code


def _levels(container: Container) -> Mapping[str, str]:
    levels: dict[str, str] = {}
    for name in list_of(container.manifest["levels"], "levels"):
        try:
            levels[str(name)] = bytes(container.read(f"{IR_PREFIX}{name}")).decode()
        except UnicodeDecodeError as error:
            raise InvalidInputError(f"its IR at level {name} is no text") from error
    return levels
