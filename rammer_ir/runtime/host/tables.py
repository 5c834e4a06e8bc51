"""A program image as the arrays that the dispatcher reads; `tables.hpp` declares the same layout in C++."""

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rammer_ir.runtime.program_image import INSTRUCTION_WORDS, Opcode, ProgramImage


@dataclass(frozen=True)
class HostTables:
    """
    The tables of one image, each C-contiguous.

    `sizes` is int64 [10], `instructions` int32 [n, 8], `descriptors` int32 [m], `launches` int64 [launches, 4],
    `streams` int32 [vEUs of all launches], `loops` int64 [loops, 4].
    """

    sizes: NDArray[np.int64]
    instructions: NDArray[np.int32]
    descriptors: NDArray[np.int32]
    launches: NDArray[np.int64]
    streams: NDArray[np.int32]
    loops: NDArray[np.int64]

    @property
    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """In the order of the fields of the C++ structure."""
        return (self.sizes, self.instructions, self.descriptors, self.launches, self.streams, self.loops)


class TablesPointers(ctypes.Structure):
    """`rammer::Tables`."""

    _fields_ = [
        (name, ctypes.c_void_p)
        for name in ("sizes", "instructions", "descriptors", "launches", "streams", "loops", "weights")
    ]


class Failure(ctypes.Structure):
    """`rammer::Failure`."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in ("kind", "counter", "value", "wanted", "launch", "veu", "instruction", "iteration")
    ]


def host_tables(image: ProgramImage, *, poison: bool) -> HostTables:
    """The tables of `image`; with `poison`, memory that nothing has written yet holds NaN during a run."""
    loops = [
        (loop.first, loop.count, loop.iterations, -1 if loop.scalar is None else image.scalars.index(loop.scalar))
        for loop in sorted(image.host_loops, key=lambda loop: loop.first)
    ]
    sizes = (
        len(image.launches),
        len(loops),
        image.counters,
        image.barriers,
        len(image.inputs) + len(image.outputs),
        _most_operands(image),
        image.arena_bytes,
        max((launch.scratch_bytes for launch in image.launches), default=0),
        max((launch.pinned_bytes for launch in image.launches), default=0),
        int(poison),
    )
    return HostTables(
        sizes=np.array(sizes, np.int64),
        instructions=np.ascontiguousarray(image.instructions, np.int32),
        descriptors=np.ascontiguousarray(image.descriptors, np.int32),
        launches=_launch_table(image),
        streams=np.array([start for launch in image.launches for start in launch.streams], np.int32),
        loops=np.array(loops, np.int64).reshape(-1, 4),
    )


def _launch_table(image: ProgramImage) -> NDArray[np.int64]:
    veus = [launch.veus for launch in image.launches]
    firsts = np.cumsum([0, *veus])[:-1]
    slots = [launch.ring_slots for launch in image.launches]
    slot_bytes = [launch.ring_slot_bytes for launch in image.launches]
    return np.ascontiguousarray(np.stack([veus, firsts, slots, slot_bytes], axis=1), np.int64)


def _most_operands(image: ProgramImage) -> int:
    words = image.instructions.reshape(-1, INSTRUCTION_WORDS)
    used = words[words[:, 0] == Opcode.RUN, 2]
    return int(image.descriptors[used].max(initial=0))
