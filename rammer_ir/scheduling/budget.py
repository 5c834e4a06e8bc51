"""How a vEU's shared memory and registers are divided."""

from typing import Final

RUNTIME_BYTES: Final = 4096
"""Shared memory of a vEU that the runtime keeps for itself on CUDA."""

SERVICE_THREADS: Final = {"cuda": 128, "host": 0}
"""Threads of the service role by kind of device."""

UNIMPLEMENTED_THREADS: Final = {"cuda": 256, "host": 1}
"""Threads of a launch whose kernels have no bodies, and so run in interpreters only."""

MOST_RING_SLOTS: Final = 16
FEWEST_RING_SLOTS: Final = 2

MOST_REGISTERS: Final = 255
"""Registers that a thread can have."""

REGISTER_UNIT: Final = 8
"""Registers are given to threads in units of this many."""

PIN_ALIGNMENT: Final = 16
"""Bytes to which pinned weights are aligned in shared memory."""


PARTITIONS: Final = 4
"""Parts of a vEU on CUDA, each with a quarter of the registers; warps of 32 threads go to them in turn."""


def registers_per_thread(registers: int, threads: int) -> int:
    """What each of `threads` threads of a vEU may have of its registers."""
    placed = aligned(threads, PARTITIONS * 32)
    return min(registers // placed // REGISTER_UNIT * REGISTER_UNIT, MOST_REGISTERS)


def ring_slots(shared_bytes: int, slot_bytes: int) -> int:
    """Slots of the weight ring in this much shared memory; fewer than `FEWEST_RING_SLOTS` are of no use."""
    return min(max(shared_bytes, 0) // slot_bytes, MOST_RING_SLOTS)


def aligned(size: int, alignment: int) -> int:
    """The size, rounded up."""
    return -(-size // alignment) * alignment
