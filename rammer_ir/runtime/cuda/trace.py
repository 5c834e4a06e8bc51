"""Device memory for the records of a traced program, and from SM clocks to one scale."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.memory import DeviceMemory
from rammer_ir.runtime.program_image import Opcode, ProgramImage
from rammer_ir.runtime.trace import TRACE_RECORD

HEADER: Final = np.dtype(
    [
        ("clock_begin", np.uint64),
        ("time_begin", np.uint64),
        ("clock_end", np.uint64),
        ("time_end", np.uint64),
        ("count", np.uint32),
        ("padding", np.uint32),
    ]
)
"""`rammer::TraceHeader`, as large as a record."""


class TraceMemory:
    """Room on a device for all records of one run: for every launch, and there for every vEU, a header and records."""

    def __init__(self, device: Device, image: ProgramImage, scalars: Sequence[int]):
        self._image: Final = image
        values = dict(zip(image.scalars, scalars, strict=True))
        self._capacities: Final = [most_records(image, number, values) for number in range(len(image.launches))]
        sizes = [
            launch.veus * (capacity + 1) * TRACE_RECORD.itemsize
            for launch, capacity in zip(image.launches, self._capacities, strict=True)
        ]
        self._starts: Final = np.cumsum([0, *sizes]).tolist()
        self._memory: Final = DeviceMemory(device, self._starts[-1])

    def places(self) -> list[tuple[int, int]]:
        """For every launch the address of its records, and how many a vEU has room for."""
        starts = [self._memory.address + start for start in self._starts[:-1]]
        return list(zip(starts, self._capacities, strict=True))

    def clear(self, stream: Any) -> None:
        """Forgets what was recorded."""
        self._memory.fill(0, stream)

    def read(self, device: Device, stream: Any) -> list[NDArray[np.void]]:
        """The records of every vEU, in nanoseconds of the global clock."""
        data = np.zeros(self._starts[-1], np.uint8)
        self._memory.read(data, stream)
        device.driver.cuStreamSynchronize(stream)
        veus = max(launch.veus for launch in self._image.launches)
        found: list[list[NDArray[np.void]]] = [[] for _ in range(veus)]
        for number, launch in enumerate(self._image.launches):
            part = data[self._starts[number] : self._starts[number + 1]]
            for veu, rows in enumerate(part.reshape(launch.veus, -1)):
                found[veu].append(calibrated(rows))
        return [np.concatenate(parts) for parts in found]

    def close(self) -> None:
        self._memory.close()


def calibrated(rows: NDArray[np.uint8]) -> NDArray[np.void]:
    """
    A vEU's records in nanoseconds of the global clock, from its header and its records in ticks of the SM's clock.

    The header has both clocks at the beginning and at the end; the SM's clock is taken to be steady between them.
    """
    header = rows[: HEADER.itemsize].view(HEADER)[0]
    records = rows[HEADER.itemsize :].view(TRACE_RECORD)[: int(header["count"])].copy()
    ticks = int(header["clock_end"]) - int(header["clock_begin"])
    rate = (int(header["time_end"]) - int(header["time_begin"])) / ticks if ticks > 0 else 1.0
    for name in ("start", "end"):
        since = (records[name] - header["clock_begin"]).astype(np.int64)
        records[name] = (np.int64(header["time_begin"]) + np.rint(since * rate).astype(np.int64)).astype(np.uint64)
    return records


def most_records(image: ProgramImage, number: int, scalars: dict[str, int]) -> int:
    """How many records a vEU of a launch can make in one run."""
    launch = image.launches[number]
    repeated = 1
    for loop in image.host_loops:
        if loop.first <= number < loop.first + loop.count:
            repeated = loop.iterations if loop.scalar is None else scalars[loop.scalar]
    return repeated * max((_in_stream(image, start, scalars) for start in launch.streams), default=0)


def _in_stream(image: ProgramImage, start: int, scalars: dict[str, int]) -> int:
    total, repeated = 0, 1
    for words in image.instructions[start:].tolist():
        match words[0]:
            case Opcode.END:
                return total + 1
            case Opcode.RUN:
                total += repeated * max(words[4], 0)
            case Opcode.FOR:
                repeated = max(words[1] if words[2] < 0 else scalars[image.scalars[words[2]]], 0)
            case Opcode.NEXT:
                repeated = 1
            case _:
                total += repeated
    return total
