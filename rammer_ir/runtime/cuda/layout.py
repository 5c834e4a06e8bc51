"""Sizes of the runtime's own structures on a CUDA device; `dispatcher_layout.cuh` asserts that they are its own."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from rammer_ir.runtime.program_image import INSTRUCTION_WORDS, LaunchImage, Opcode, ProgramImage, Space

RING_SLOTS_MAXIMUM: Final = 32
WARP: Final = 32
SERVICE_WARPS: Final = 2
"""The service warps that have something to do: one feeds the compute role, one streams weights."""

WINDOW_INSTRUCTIONS: Final = 16
"""The device reads instructions in aligned groups of so many: tables are padded to a multiple."""

COUNTER_BYTES: Final = 32
BARRIER_BYTES: Final = 128

_QUEUE_SLOTS: Final = 4
_CACHED_DESCRIPTORS: Final = 4
_STATE_BYTES: Final = 1152
_TASK_BYTES: Final = 40


@dataclass(frozen=True)
class Geometry:
    """
    What a compiled dispatcher is made for: the larger of each of its launches, and the limits of the program.

    `operands` and `parameters` are the most that any descriptor has; `spaces` is the number of address spaces.
    """

    threads: int
    service_threads: int
    registers: int
    ring_slots: int
    ring_slot_bytes: int
    scratch_bytes: int
    pinned_bytes: int
    operands: int
    parameters: int
    barriers: int
    spaces: int
    scalars: int
    veus: int

    @property
    def block_threads(self) -> int:
        return self.threads + self.service_threads

    @property
    def ring_bytes(self) -> int:
        return self.ring_slots * self.ring_slot_bytes

    @property
    def shared_bytes(self) -> int:
        """Dynamic shared memory of a block."""
        regions = self.ring_bytes + _round_up(self.scratch_bytes, 128) + _round_up(self.pinned_bytes, 128)
        return _STATE_BYTES + regions + self._queue_bytes

    @property
    def _queue_bytes(self) -> int:
        words = 4 * self.parameters
        entry = _round_up(40 + _TASK_BYTES + 8 * self.operands + words, 16)
        descriptor = _round_up(12 * self.operands + words, 8)
        cache = _round_up(2 * WINDOW_INSTRUCTIONS * 32 + _CACHED_DESCRIPTORS * descriptor, 16)
        walkers, entries = (2, _QUEUE_SLOTS) if self.service_threads else (1, 1)
        return _round_up(_round_up((entries + 1) * entry, 16) + walkers * cache + 4 * self.barriers, 16)


def geometry(image: ProgramImage, launches: list[LaunchImage]) -> Geometry:
    """The geometry that serves all of `launches`, which agree in threads, registers and ring."""
    operands, parameters = _descriptor_limits(image)
    first = launches[0]
    return Geometry(
        threads=first.threads,
        service_threads=first.service_threads,
        registers=first.registers,
        ring_slots=first.ring_slots,
        ring_slot_bytes=first.ring_slot_bytes,
        scratch_bytes=max(launch.scratch_bytes for launch in launches),
        pinned_bytes=max(launch.pinned_bytes for launch in launches),
        operands=max(operands, 1),
        parameters=max(parameters, 1),
        barriers=max(image.barriers, 1),
        spaces=Space.FIRST_BINDING + len(image.inputs) + len(image.outputs),
        scalars=max(len(image.scalars), 1),
        veus=max(launch.veus for launch in launches),
    )


def bank_bytes(image: ProgramImage) -> int:
    """Size of one bank of counters: the barriers, then the counters."""
    return max(image.barriers, 1) * BARRIER_BYTES + _round_up(image.counters * COUNTER_BYTES, 128)


def _descriptor_limits(image: ProgramImage) -> tuple[int, int]:
    """The most operands and the most parameters of the descriptors in use."""
    words = image.instructions.reshape(-1, INSTRUCTION_WORDS)
    used = np.unique(words[words[:, 0] == Opcode.RUN, 2])
    return int(image.descriptors[used].max(initial=0)), int(image.descriptors[used + 1].max(initial=0))


def _round_up(size: int, multiple: int) -> int:
    return (size + multiple - 1) // multiple * multiple
