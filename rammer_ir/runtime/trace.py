"""What the vEUs of a run did when: records of either runtime as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rammer_ir.runtime.program_image import Opcode, ProgramImage

TRACE_RECORD: Final = np.dtype(
    [
        ("start", np.uint64),
        ("end", np.uint64),
        ("waited", np.uint64),
        ("launch", np.int32),
        ("instruction", np.int32),
        ("task", np.int32),
        ("iteration", np.int32),
    ]
)
"""`rammer::TraceRecord` of both runtimes; times are nanoseconds when they come here."""


@dataclass(frozen=True)
class Trace:
    """
    The tasks, waits and barriers of one run, in the order of their starts; all arrays have the shape [records].

    `start` and `end` are microseconds since the first start, `waited` those that a task waited for words. `veu`,
    `launch`, `instruction` (an index into the image's table), `task` (-1 for what is no task) and `iteration` say what
    it is. `clock` names the clock.
    """

    image: ProgramImage
    clock: str
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    waited: NDArray[np.float64]
    veu: NDArray[np.int32]
    launch: NDArray[np.int32]
    instruction: NDArray[np.int32]
    task: NDArray[np.int32]
    iteration: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.start)

    @property
    def opcode(self) -> NDArray[np.int32]:
        """RUN, WAIT, BARRIER or PIN for each record."""
        return self.image.instructions[self.instruction, 0]

    @property
    def length(self) -> float:
        """Microseconds from the first start to the last end."""
        return float(self.end.max(initial=0.0))


def trace_of(image: ProgramImage, records: Sequence[NDArray[np.void]], clock: str) -> Trace:
    """The trace of a run from the records of each vEU, of dtype `TRACE_RECORD`, in nanoseconds."""
    kept = (Opcode.RUN, Opcode.WAIT, Opcode.BARRIER, Opcode.PIN)
    table = np.concatenate([np.zeros(0, TRACE_RECORD), *records])
    veus = np.repeat(np.arange(len(records), dtype=np.int32), [len(part) for part in records])
    chosen = np.flatnonzero(np.isin(image.instructions[table["instruction"], 0], kept))
    chosen = chosen[np.argsort(table["start"][chosen], kind="stable")]
    table, veus = table[chosen], veus[chosen]
    first = table["start"].min(initial=np.iinfo(np.uint64).max) if len(table) else np.uint64(0)
    return Trace(
        image=image,
        clock=clock,
        start=(table["start"] - first).astype(np.float64) / 1e3,
        end=(table["end"] - first).astype(np.float64) / 1e3,
        waited=table["waited"].astype(np.float64) / 1e3,
        veu=veus,
        **{name: table[name] for name in ("launch", "instruction", "task", "iteration")},
    )
