"""Whether a program image is well-formed: every index and every size in its tables is one of something that exists."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rammer_ir.errors import VerificationError
from rammer_ir.runtime.descriptor_checks import check_descriptors, space_sizes
from rammer_ir.runtime.program_image import INSTRUCTION_WORDS, HostLoop, LaunchImage, Opcode, ProgramImage, Space
from rammer_ir.runtime.streams import launch_rows

_TASKS_MAXIMUM: Final = 2**31 - 1
_SHARED_MAXIMUM: Final = 2**30
"""Bytes of a vEU; on a CPU they are memory like any other."""

_COUNTERS_MAXIMUM: Final = 2**22
"""Of counters and of barriers: a runtime allocates up to 128 bytes for each."""


def check_tables(image: ProgramImage) -> None:
    """
    Raise VerificationError, naming the launch or the instruction, unless a runtime could walk the tables of `image`.

    What bodies do with the operands and parameters they are given is not looked into.
    """
    table = image.instructions
    _check(
        table.ndim == 2 and table.shape[1] == INSTRUCTION_WORDS, image, "the instruction table is not of shape [n, 8]"
    )
    unknown = np.flatnonzero((table[:, 0] < 0) | (table[:, 0] > max(Opcode)))
    _check(unknown.size == 0, image, f"instruction {unknown.min(initial=len(table))} has no known opcode")
    _check_runs(image)
    _check_counters(image)
    _check_loops(image)
    _check(len(image.launches) > 0, image, "there is no launch")
    depths = _loop_depths(image)
    for launch in image.launches:
        _check_launch(image, launch, depths)
    _check_host_loops(image)
    _check_launch_order(image)
    check_descriptors(image)
    _check_weights(image)


def _check(condition: bool, image: ProgramImage, message: str) -> None:
    if not condition:
        raise VerificationError(message, location=image.name)


def _check_runs(image: ProgramImage) -> None:
    _check_words(image, Opcode.RUN, 1, len(image.bodies), "a kernel body")
    _check_words(image, Opcode.RUN, 2, len(image.descriptors), "a descriptor")
    _check_words(image, Opcode.PIN, 1, Space.FIRST_BINDING + len(image.inputs) + len(image.outputs), "a space")
    runs = _rows(image, Opcode.RUN)
    last = runs[:, 3] + np.maximum(runs[:, 4] - 1, 0) * runs[:, 5]
    fits = np.all(runs[:, 3:5] >= 0, axis=1) & (last >= 0) & (last <= _TASKS_MAXIMUM)
    _check(bool(np.all(fits)), image, "an instruction runs tasks with numbers below 0 or beyond 32 bits")
    has_scalar = -1 - runs[:, 7] < len(image.scalars)
    _check(bool(np.all(has_scalar)), image, "an instruction runs as many steps as a scalar says that does not exist")


def _check_counters(image: ProgramImage) -> None:
    _check_words(image, Opcode.BARRIER, 1, image.barriers, "a barrier")
    _check_words(image, Opcode.WAIT, 1, image.counters, "a counter")
    _check_words(image, Opcode.WAIT, 5, len(image.events), "an event")
    _check_words(image, Opcode.SIGNAL, 1, image.counters, "a counter")
    _check(max(image.barriers, image.counters) <= _COUNTERS_MAXIMUM, image, "there are too many counters")
    waits = _rows(image, Opcode.WAIT)
    exist = (waits[:, 2] >= 0) & (waits[:, 1] + waits[:, 2] <= image.counters)
    _check(bool(np.all(exist)), image, "a wait is for counters that do not exist")


def _check_words(image: ProgramImage, opcode: Opcode, word: int, limit: int, what: str) -> None:
    table = image.instructions
    places = np.flatnonzero(table[:, 0] == opcode)
    wrong = places[(table[places, word] < 0) | (table[places, word] >= limit)]
    if wrong.size:
        number = int(table[wrong[0], word])
        raise VerificationError(
            f"instruction {int(wrong[0])} ({opcode.name}) names {what} {number}, there are {limit}", location=image.name
        )


def _rows(image: ProgramImage, opcode: Opcode) -> NDArray[np.int64]:
    return image.instructions[image.instructions[:, 0] == opcode].astype(np.int64)


def _check_loops(image: ProgramImage) -> None:
    """Loops match, do not nest, are not empty and do not cross the end of a stream."""
    table = image.instructions
    opened: int | None = None
    for place in np.flatnonzero(np.isin(table[:, 0], (Opcode.FOR, Opcode.NEXT, Opcode.END))):
        index, words = int(place), table[place]
        if words[0] == Opcode.FOR:
            _check(opened is None, image, f"the loops at instructions {opened} and {index} nest")
            has_scalar = -1 <= int(words[2]) < len(image.scalars)
            _check(has_scalar, image, f"the loop at instruction {index} has no such scalar")
            opened = index
        elif words[0] == Opcode.NEXT:
            matches = opened is not None and words[1] == opened + 1 < index and table[opened, 3] == index + 1
            _check(matches, image, f"the loop that ends at instruction {index} is empty or does not match its start")
            opened = None
        else:
            _check(opened is None, image, f"the loop at instruction {opened} has no end")


def _loop_depths(image: ProgramImage) -> NDArray[np.int64]:
    """For each instruction, how many loops it stands in."""
    opcodes = image.instructions[:, 0]
    changes = (opcodes == Opcode.FOR).astype(np.int64) - (opcodes == Opcode.NEXT)
    return np.cumsum(changes) - changes


def _check_launch(image: ProgramImage, launch: LaunchImage, depths: NDArray[np.int64]) -> None:
    _check(launch.veus > 0, image, f"launch {launch.name!r}: it has {launch.veus} vEUs")
    table = image.instructions[launch_rows(image, launch)].astype(np.int64)
    _check(launch.shared_bytes <= _SHARED_MAXIMUM, image, f"launch {launch.name!r} needs {launch.shared_bytes} bytes")
    begins_inside = np.any(depths[list(launch.streams)] > 0)
    _check(not begins_inside, image, f"launch {launch.name!r}: a stream begins inside of a loop")
    meetings = table[table[:, 0] == Opcode.BARRIER]
    _check(
        bool(np.all((meetings[:, 2] > 0) & (meetings[:, 2] <= launch.veus))),
        image,
        f"launch {launch.name!r}: more vEUs meet at a barrier than there are",
    )
    _check_pins(image, launch, table[table[:, 0] == Opcode.PIN])


def _check_pins(image: ProgramImage, launch: LaunchImage, pins: NDArray[np.int64]) -> None:
    fits = (pins[:, 2] >= 0) & (pins[:, 3] >= 0) & (pins[:, 2] + pins[:, 3] <= launch.pinned_bytes)
    _check(bool(np.all(fits)), image, f"launch {launch.name!r} pins more than its {launch.pinned_bytes} bytes")
    _check(bool(np.all(pins[:, 2:4] % 16 == 0)), image, f"launch {launch.name!r} pins what is no multiple of 16 bytes")
    offsets = (pins[:, 5] << 32) + (pins[:, 4] & 0xFFFFFFFF)
    exist = (offsets >= 0) & (offsets + pins[:, 3] <= space_sizes(image)[pins[:, 1]])
    _check(bool(np.all(exist)), image, f"launch {launch.name!r} pins what lies outside of its memory")


def _check_host_loops(image: ProgramImage) -> None:
    """Loops of the host are over launches that exist, each launch in one of them at most."""
    end = 0
    for loop in sorted(image.host_loops, key=_first_launch):
        exists = loop.count > 0 and end <= loop.first and loop.first + loop.count <= len(image.launches)
        _check(exists, image, f"the host's loop over launches from {loop.first} meets another, or there are too few")
        is_known = loop.scalar is None or loop.scalar in image.scalars
        _check(is_known, image, f"the host's loop over launches from {loop.first} has no scalar {loop.scalar!r}")
        end = loop.first + loop.count


def _check_launch_order(image: ProgramImage) -> None:
    """Launches come after earlier ones; those in loops are in line."""
    in_loops = {number for loop in image.host_loops for number in range(loop.first, loop.first + loop.count)}
    for number, launch in enumerate(image.launches):
        after = launch.after or ()
        wrong = [other for other in after if not 0 <= other < number]
        _check(not wrong, image, f"launch {launch.name!r} comes after launch {wrong[:1]}, which is no earlier one")
        in_line = launch.after is None or number not in in_loops
        _check(in_line, image, f"launch {launch.name!r} stands in a loop and names the launches before it")


def _first_launch(loop: HostLoop) -> int:
    return loop.first


def _check_weights(image: ProgramImage) -> None:
    for symbol, offset in image.weights:
        _check(0 <= offset <= image.weight_bytes, image, f"weight @{symbol} lies outside of the weights")
