"""What the CUDA runtime demands of a program image, checked before anything is compiled."""

import re
from typing import Final

from rammer_ir.errors import VerificationError
from rammer_ir.runtime.cuda.layout import RING_SLOTS_MAXIMUM, SERVICE_WARPS, WARP
from rammer_ir.runtime.image_checks import check_tables
from rammer_ir.runtime.program_image import LaunchImage, ProgramImage
from rammer_ir.runtime.streams import bodies_in_use

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
    check_tables(image)
    for launch in image.launches:
        _check_launch(image, launch)
        _check_ring(image, launch)


def _check(condition: bool, image: ProgramImage, message: str) -> None:
    if not condition:
        raise VerificationError(message, location=image.name)


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
