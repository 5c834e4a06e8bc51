"""A compiled program to a file."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from rammer_ir.artefact.container import NewSection, write_container
from rammer_ir.artefact.records import to_json
from rammer_ir.compiled import CompiledProgram
from rammer_ir.runtime.machine_code import MachineCode

IMAGE_SECTIONS: Final = ("instructions", "descriptors")
"""The tables of a program that are sections, not text."""

WEIGHTS: Final = "weights"
IR_PREFIX: Final = "ir/"


def code_section(processor: str, part: int) -> str:
    """Name of the section of one part of the code for a processor."""
    return f"code/{processor}/{part}"


def write_artefact(compiled: CompiledProgram, path: str | Path, *, keep_ir: bool = False) -> None:
    """
    Write a program to a file, aside and then renamed; with `keep_ir`, the text of each of its levels too.

    Raises OSError where the file cannot be written.
    """
    image = compiled.image
    leave_out = frozenset((*IMAGE_SECTIONS, "provenance"))
    levels = {level: str(text) for level, text in compiled.levels.items()} if keep_ir else {}
    manifest: dict[str, Any] = {
        "origin": to_json(compiled.origin),
        "report": to_json(compiled.report),
        "program": to_json(image, leave_out),
        "provenance": sorted(image.provenance.items()),
        "code": [_code_record(code) for code in compiled.code],
        "levels": list(levels),
    }
    sections = [
        NewSection(name, np.ascontiguousarray(getattr(image, name), "<i4").reshape(-1).view(np.uint8).data)
        for name in IMAGE_SECTIONS
    ]
    for code in compiled.code:
        for number, part in enumerate(code.parts):
            sections.append(NewSection(code_section(code.processor, number), memoryview(part.data)))
    sections += [NewSection(f"{IR_PREFIX}{level}", memoryview(text.encode())) for level, text in levels.items()]
    sections.append(NewSection(WEIGHTS, compiled.weights[: image.weight_bytes].data, "crc32"))
    write_container(path, manifest, sections)


def _code_record(code: MachineCode) -> dict[str, Any]:
    record = to_json(code, frozenset({"parts"}))
    return {**record, "parts": [list(part.launches) for part in code.parts]}
