"""What the CUDA runtime demands of a program image, checked before anything is compiled."""

import re
from typing import Final

import numpy as np

from rammer_ir.errors import VerificationError
from rammer_ir.runtime.cuda.layout import RING_SLOTS_MAXIMUM, SERVICE_WARPS, WARP
from rammer_ir.runtime.cuda.streams import bodies_in_use, launch_rows
from rammer_ir.runtime.program_image import INSTRUCTION_WORDS, LaunchImage, Opcode, ProgramImage, Space

_THREADS_MAXIMUM: Final = 1024
_BINDINGS_MAXIMUM: Final = 256
_VEUS_MAXIMUM: Final = 400
"""Addresses and first instructions are passed as a kernel's parameters, of which there are 4 KB."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def check_image(image: ProgramImage) -> None:
    """Raise VerificationError, naming the launch or the instruction, if the device could not execute `image`."""
    for body in image.bodies:
        _check(_NAME.fullmatch(body.name) is not None, image, f"kernel body {body.name!r} has no name of a C function")
    names = [body.name for body in image.bodies]
    _check(len(set(names)) == len(names), image, "two kernel bodies have the same name")
    _check(
        len(image.inputs) + len(image.outputs) + len(image.scalars) <= _BINDINGS_MAXIMUM,
        image,
        f"inputs, outputs and scalars are more than {_BINDINGS_MAXIMUM}",
    )
    _check_table(image)
    _check_loops(image)
    for launch in image.launches:
        _check_launch(image, launch)
        _check_pins(image, launch)
        _check_ring(image, launch)


def _check(condition: bool, image: ProgramImage, message: str) -> None:
    if not condition:
        raise VerificationError(message, location=image.name)


def _check_table(image: ProgramImage) -> None:
    table = image.instructions
    _check(
        table.ndim == 2 and table.shape[1] == INSTRUCTION_WORDS, image, "the instruction table is not of shape [n, 8]"
    )
    _check_words(image, Opcode.RUN, 1, len(image.bodies), "a kernel body")
    _check_words(image, Opcode.RUN, 2, len(image.descriptors), "a descriptor")
    _check_words(image, Opcode.BARRIER, 1, image.barriers, "a barrier")
    _check_words(image, Opcode.WAIT, 1, image.counters, "a counter")
    _check_words(image, Opcode.WAIT, 5, len(image.events), "an event")
    _check_words(image, Opcode.SIGNAL, 1, image.counters, "a counter")
    _check_words(image, Opcode.PIN, 1, Space.FIRST_BINDING + len(image.inputs) + len(image.outputs), "a space")
    waits = table[table[:, 0] == Opcode.WAIT]
    _check(bool(np.all(waits[:, 1] + waits[:, 2] <= image.counters)), image, "a wait is for counters that do not exist")


def _check_words(image: ProgramImage, opcode: Opcode, word: int, limit: int, what: str) -> None:
    table = image.instructions
    places = np.flatnonzero(table[:, 0] == opcode)
    wrong = places[(table[places, word] < 0) | (table[places, word] >= limit)]
    if wrong.size:
        number = int(table[wrong[0], word])
        raise VerificationError(
            f"instruction {int(wrong[0])} ({opcode.name}) names {what} {number}, there are {limit}", location=image.name
        )


def _check_launch(image: ProgramImage, launch: LaunchImage) -> None:
    def check(condition: bool, message: str) -> None:
        _check(condition, image, f"launch {launch.name!r}: {message}")

    check(0 < launch.veus <= _VEUS_MAXIMUM, f"it has {launch.veus} vEUs, 1 to {_VEUS_MAXIMUM} are possible")
    threads, service = launch.threads, launch.service_threads
    check(threads > 0 and threads % WARP == 0, f"{threads} threads are no whole warps")
    check(
        service == 0 or (service >= SERVICE_WARPS * WARP and service % WARP == 0),
        f"{service} service threads: there must be none, or whole warps, at least {SERVICE_WARPS}",
    )
    check(threads + service <= _THREADS_MAXIMUM, f"{threads + service} threads, a block has {_THREADS_MAXIMUM}")
    check(launch.ring_slots <= RING_SLOTS_MAXIMUM, f"{launch.ring_slots} ring slots, at most {RING_SLOTS_MAXIMUM}")
    check(launch.ring_slot_bytes % 16 == 0, f"a ring slot of {launch.ring_slot_bytes} bytes is no multiple of 16")
    check(launch.ring_slots != 1, "a ring of one slot")


def _check_pins(image: ProgramImage, launch: LaunchImage) -> None:
    rows = image.instructions[launch_rows(image, launch)]
    pins = rows[rows[:, 0] == Opcode.PIN].astype(np.int64)
    fits = (pins[:, 2] >= 0) & (pins[:, 3] >= 0) & (pins[:, 2] + pins[:, 3] <= launch.pinned_bytes)
    _check(bool(np.all(fits)), image, f"launch {launch.name!r} pins more than its {launch.pinned_bytes} bytes")
    _check(bool(np.all(pins[:, 2:4] % 16 == 0)), image, f"launch {launch.name!r} pins what is no multiple of 16 bytes")


def _check_ring(image: ProgramImage, launch: LaunchImage) -> None:
    if launch.service_threads > 0 and launch.ring_slots > 0:
        return
    for number in bodies_in_use(image, launch):
        name = image.bodies[number].name
        _check(
            not image.bodies[number].service,
            image,
            f"launch {launch.name!r} runs {name!r}, which takes weights from a ring: it needs service threads and ring "
            "slots",
        )


def _check_loops(image: ProgramImage) -> None:
    """Loops match, do not nest, are not empty and do not cross the end of a stream."""
    table = image.instructions
    opened: int | None = None
    for place in np.flatnonzero(np.isin(table[:, 0], (Opcode.FOR, Opcode.NEXT, Opcode.END))):
        index, words = int(place), table[place]
        if words[0] == Opcode.FOR:
            _check(opened is None, image, f"the loops at instructions {opened} and {index} nest")
            _check(int(words[2]) < len(image.scalars), image, f"the loop at instruction {index} has no such scalar")
            opened = index
        elif words[0] == Opcode.NEXT:
            matches = opened is not None and words[1] == opened + 1 < index and table[opened, 3] == index + 1
            _check(matches, image, f"the loop that ends at instruction {index} is empty or does not match its start")
            opened = None
        else:
            _check(opened is None, image, f"the loop at instruction {opened} has no end")
