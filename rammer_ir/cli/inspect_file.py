"""`rammer inspect`: what a file of `rammer compile`, or a model, consists of."""

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rammer_ir.errors import InvalidInputError

if TYPE_CHECKING:
    from rammer_ir.artefact.facts import BodyFacts, FileFacts
    from rammer_ir.compiled import CompiledProgram


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:  # pyright: ignore[reportPrivateUsage]
    """Adds `inspect` to the commands of `rammer`."""
    parser = commands.add_parser("inspect", help="say what a compiled program or a model consists of")
    parser.add_argument("file", type=Path, help="a file of rammer compile, or an ONNX file")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--bodies", action="store_true", help="list the kernel bodies with what they need")
    shown.add_argument("--source", action="store_true", help="print the generated code of all kernel bodies")
    shown.add_argument("--json", action="store_true", help="print everything for machines")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Prints what is known of the file; 1 if it is an artefact that cannot be loaded."""
    from rammer_ir.artefact.container import is_container

    if is_container(options.file):
        return _inspect_artefact(options)
    if options.bodies or options.source:
        raise InvalidInputError("a model has no kernel bodies: compile it first", location=str(options.file))
    from rammer_ir.cli.inspect_onnx import describe_model, model_facts

    facts = model_facts(options.file)
    print(json.dumps(facts, indent=2) if options.json else describe_model(facts))
    return 0


def _inspect_artefact(options: argparse.Namespace) -> int:
    from rammer_ir.artefact.facts import body_facts, file_facts, program_facts

    facts, compiled = file_facts(options.file)
    if options.json:
        program = None if compiled is None else program_facts(compiled)
        print(json.dumps({"file": asdict(facts), "program": program}, indent=2))
    elif compiled is None:
        print(_printable(_file_text(facts)))
    elif options.source:
        print("\n".join(body.source for body in compiled.image.bodies))
    elif options.bodies:
        print(_printable(_bodies_text(body_facts(compiled))))
    else:
        print(_printable(f"{_file_text(facts)}\n{_program_text(compiled)}"))
    if facts.problem is not None:
        print(f"{facts.path}: error: {facts.problem}", file=sys.stderr)
    return 0 if compiled is not None else 1


def _printable(text: str) -> str:
    """The text without what a terminal would take for commands: names may come from anywhere."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)


def _file_text(facts: "FileFacts") -> str:
    lines = [f"file      {facts.path}: format {facts.format}, {_size(facts.bytes)}"]
    if facts.problem is not None:
        for section in facts.sections:
            state = "intact" if section.intact else "DAMAGED"
            lines.append(f"section   {section.name}: {_size(section.bytes)}, {state}")
    return "\n".join(lines)


def _program_text(compiled: "CompiledProgram") -> str:
    """The program for people, a fact a line."""
    from rammer_ir.runtime.bindings import describe

    origin, report, image = compiled.origin, compiled.report, compiled.image
    digest = "in memory" if origin.model_sha256 is None else f"sha256 {origin.model_sha256[:16]}"
    seconds = sum(origin.compile_seconds.values())
    code = [f"{code.processor} ({_size(sum(len(part.data) for part in code.parts))})" for code in compiled.code]
    lines = [
        f"model     {origin.model} ({digest}), compiled in {seconds:.2f} s by version {origin.rammer_version}",
        f"device    {origin.device}, strategy {origin.strategy}, precision {origin.precision}, "
        f"code for {', '.join(code) or 'none'}",
        *(f"input     {binding.name}: {describe(binding)}" for binding in image.inputs),
        *(f"output    {binding.name}: {describe(binding)}" for binding in image.outputs),
        f"program   {report.operators} rOperators, {report.tasks} rTasks, {report.waves} waves, {report.launches} "
        f"launches, {report.barriers} barriers, {report.waits} waits, {len(image.events)} events",
        *_launch_lines(compiled),
        f"memory    {report.buffers} buffers in an arena of {_size(image.arena_bytes)}, weights of "
        f"{_size(image.weight_bytes)}",
        f"bodies    {len(image.bodies)} (--bodies lists them), {len(image.instructions)} instructions",
        f"IR        {', '.join(compiled.levels) or 'not kept'}",
    ]
    return "\n".join(lines)


def _launch_lines(compiled: "CompiledProgram") -> list[str]:
    """A line for the launches of each form."""
    forms = Counter(
        f"{launch.veus} vEUs, {launch.threads} + {launch.service_threads} threads, at most {launch.registers} registers"
        f", ring {launch.ring_slots} x {launch.ring_slot_bytes}, scratch {launch.scratch_bytes}, pinned "
        f"{launch.pinned_bytes} bytes"
        for launch in compiled.image.launches
    )
    return [f"launch    {f'{count} of ' if count > 1 else ''}{form}" for form, count in forms.items()]


def _bodies_text(bodies: "list[BodyFacts]") -> str:
    width = max((len(body.name) for body in bodies), default=4)
    lines = [f"{'body':{width}}  rTasks  registers  stack  spilled  lines  role"]
    for body in bodies:
        spilled = None if body.spill_stores is None else body.spill_stores + (body.spill_loads or 0)
        lines.append(
            f"{body.name:{width}}  {body.tasks:6}  {_known(body.registers):>9}  {_known(body.stack):>5}  "
            f"{_known(spilled):>7}  {body.lines:5}  {'compute, service' if body.service else 'compute'}"
        )
    return "\n".join(lines)


def _known(number: int | None) -> str:
    return "-" if number is None else str(number)


def _size(size: int) -> str:
    """Bytes for people: 512 bytes, 4.1 kB, 102.2 MB."""
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1e3:.1f} kB" if size < 1_000_000 else f"{size / 1e6:.1f} MB"
