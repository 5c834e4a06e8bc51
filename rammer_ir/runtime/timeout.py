"""The report of a wait that did not end in time: what a runtime records, and the error that its caller gets."""

from dataclasses import dataclass
from enum import IntEnum

from rammer_ir.errors import ProgramTimeoutError
from rammer_ir.runtime.program_image import INSTRUCTION_WORDS, Opcode, ProgramImage


class WaitKind(IntEnum):
    """What was waited for; zero in a runtime's record means that nothing timed out."""

    EVENT = 1
    BARRIER = 2
    WORD = 3


@dataclass(frozen=True)
class TimeoutRecord:
    """
    The first wait of a run that timed out.

    `counter` is the counter's or the barrier's index; `value` is what it held and `wanted` what the wait needed (for a
    word: the upper half of each). `instruction` is an index into the image's table, `iteration` the loop index.
    """

    kind: WaitKind
    counter: int
    value: int
    wanted: int
    launch: int
    veu: int
    instruction: int
    iteration: int


def timeout_error(image: ProgramImage, record: TimeoutRecord, seconds: float) -> ProgramTimeoutError:
    """The error for `record`, which names event, counter, vEU, instruction and the node of the model concerned."""
    node = _node(image, record.instruction)
    launch = image.launches[record.launch].name
    return ProgramTimeoutError(
        f"{_what(image, record)} did not arrive within {seconds:g} s: it stood at {record.value}, {record.wanted} was "
        f"wanted by vEU {record.veu} at instruction {record.instruction}, iteration {record.iteration} of launch "
        f"{launch!r}{f', at {node}' if node else ''}: a signal is missing or comes too late",
        location=image.name,
    )


def _what(image: ProgramImage, record: TimeoutRecord) -> str:
    if record.kind is WaitKind.BARRIER:
        return f"barrier {record.counter}"
    if record.kind is WaitKind.WORD:
        return "a word"
    event = image.events[int(image.instructions[record.instruction, 5])]
    return f"event {event.name!r} (counter {record.counter}, element {record.counter - event.first_counter})"


def _node(image: ProgramImage, instruction: int) -> str | None:
    """The node that the next RUN, from `instruction` on in the same stream, came from."""
    for words in image.instructions[instruction:].reshape(-1, INSTRUCTION_WORDS):
        opcode = int(words[0])
        if opcode == Opcode.RUN:
            return image.provenance.get(int(words[2]))
        if opcode == Opcode.END:
            return None
    return None
