"""What there is to say of an artefact, for people and for machines."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rammer_ir.artefact.container import FORMAT_VERSION, Container, open_container
from rammer_ir.artefact.reader import read_artefact
from rammer_ir.artefact.records import to_json
from rammer_ir.compiled import CompiledProgram
from rammer_ir.errors import InvalidInputError
from rammer_ir.runtime.cuda.elf import function_registers
from rammer_ir.runtime.machine_code import MachineCode
from rammer_ir.runtime.program_image import Opcode, ProgramImage


@dataclass(frozen=True)
class SectionFacts:
    """A section of the file; `intact` says whether it is as it was written."""

    name: str
    bytes: int
    intact: bool


@dataclass(frozen=True)
class FileFacts:
    """The file, whatever it holds; `problem` is the reason why it cannot be loaded, if there is one."""

    path: str
    bytes: int
    format: int
    sections: tuple[SectionFacts, ...]
    problem: str | None


@dataclass(frozen=True)
class BodyFacts:
    """
    A kernel body: `tasks` are the rTasks it runs, loops counted once.

    Registers, local memory and spills, in bytes a thread, are None where the compiler did not tell them.
    """

    name: str
    service: bool
    tasks: int
    lines: int
    registers: int | None
    stack: int | None
    spill_stores: int | None
    spill_loads: int | None


def file_facts(path: Path) -> tuple[FileFacts, CompiledProgram | None]:
    """
    An artefact's facts, and its program if it is intact.

    Raises InvalidInputError if the file is no artefact, or its header or manifest cannot be read.
    """
    container = open_container(path)
    try:
        compiled, problem = read_artefact(path), None
    except InvalidInputError as error:
        compiled, problem = None, error.message
    return FileFacts(str(path), container.size, FORMAT_VERSION, _sections(container), problem), compiled


def _sections(container: Container) -> tuple[SectionFacts, ...]:
    sections = container.sections.values()
    return tuple(SectionFacts(section.name, section.data.nbytes, section.is_intact) for section in sections)


def program_facts(compiled: CompiledProgram) -> dict[str, Any]:
    """The program's facts as JSON values."""
    image = compiled.image
    launches = [to_json(launch, frozenset({"streams"})) | {"veus": launch.veus} for launch in image.launches]
    return {
        "origin": to_json(compiled.origin),
        "report": to_json(compiled.report),
        "inputs": to_json(image.inputs),
        "outputs": to_json(image.outputs),
        "scalars": list(image.scalars),
        "launches": launches,
        "host_loops": to_json(image.host_loops),
        "events": [event.name for event in image.events],
        "counters": image.counters,
        "barriers": image.barriers,
        "instructions": len(image.instructions),
        "code": [
            {"processor": code.processor, "bytes": sum(len(part.data) for part in code.parts)} for code in compiled.code
        ],
        "bodies": [asdict(body) for body in body_facts(compiled)],
        "levels": list(compiled.levels),
    }


def body_facts(compiled: CompiledProgram) -> list[BodyFacts]:
    """The program's bodies in their order; resources are those of the first architecture that there is code for."""
    image = compiled.image
    tasks = _tasks(image)
    code = compiled.code[0] if compiled.code else None
    registers = {} if code is None else _registers(code)
    resources = {} if code is None else {function.name: function for function in code.functions}
    facts: list[BodyFacts] = []
    for number, body in enumerate(image.bodies):
        own = resources.get(body.name)
        facts.append(
            BodyFacts(
                name=body.name,
                service=body.service,
                tasks=tasks.get(number, 0),
                lines=len(body.source.splitlines()),
                registers=registers.get(body.name),
                stack=None if own is None else own.stack,
                spill_stores=None if own is None else own.spill_stores,
                spill_loads=None if own is None else own.spill_loads,
            )
        )
    return facts


def _tasks(image: ProgramImage) -> Mapping[int, int]:
    runs = image.instructions[image.instructions[:, 0] == Opcode.RUN].astype(np.int64)
    counts = np.zeros(len(image.bodies), np.int64)
    np.add.at(counts, runs[:, 1], runs[:, 4])
    return {number: int(count) for number, count in enumerate(counts)}


def _registers(code: MachineCode) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in code.parts:
        for name, count in function_registers(bytes(part.data)).items():
            found[name] = max(count, found.get(name, 0))
    return found
