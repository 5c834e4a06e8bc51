"""The arrays of a block-form body, with what its threads did to them since the last barrier."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rammer_ir.dialects.block import MemorySpace
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.block_lanes import Lanes
from rammer_ir.interpreters.element_types import Array, is_float

Index = int | Array
"""The same number for all lanes, or one for each."""

NOBODY = -1
SEVERAL = -2


class AccessTracker:
    """
    For every element of a shared array, who wrote and who read it since the last barrier.

    Agents are threads, or warps in warp-level loops, by number; an epoch is the time between two barriers. Finds two
    agents of one epoch of which one writes what the other touches: their order is anybody's guess.
    """

    def __init__(self, elements: int) -> None:
        self._writer, self._reader = (np.full(elements, NOBODY, np.int32) for _ in range(2))
        self._written, self._read = (np.full(elements, -1, np.int64) for _ in range(2))
        self._last_write = -1
        self._reads: list[tuple[Index, Lanes]] = []
        self._reads_epoch = -1

    def note_read(self, places: Index, lanes: Lanes, epoch: int) -> None:
        """Raises RammerError if another agent wrote one of the places in this epoch."""
        if self._reads_epoch != epoch:
            self._reads.clear()
            self._reads_epoch = epoch
        # Who has read what only matters if something is written before the next barrier.
        self._reads.append((places, lanes))
        if self._last_write == epoch and self._is_foreign(self._written, self._writer, places, lanes, epoch):
            raise RammerError("a thread reads what another has written since the last barrier")

    def note_write(self, places: Index, lanes: Lanes, epoch: int) -> None:
        """Raises RammerError if another agent touched one of the places in this epoch."""
        if self._is_foreign(self._written, self._writer, places, lanes, epoch):
            raise RammerError("a thread overwrites what another has written since the last barrier")
        if self._reads_epoch == epoch:
            for read, readers in self._reads:
                self._record_read(readers.select(read), readers.who(), epoch)
            self._reads.clear()
        if self._is_foreign(self._read, self._reader, places, lanes, epoch):
            raise RammerError("a thread overwrites what another has read since the last barrier")
        selected = lanes.select(places)
        self._writer[selected] = lanes.who()
        self._written[selected] = epoch
        self._last_write = epoch

    def _is_foreign(self, epochs: Array, agents: Array, places: Index, lanes: Lanes, epoch: int) -> bool:
        selected = lanes.select(places)
        return bool(((epochs[selected] == epoch) & (agents[selected] != lanes.who())).any())

    def _record_read(self, places: Array, agents: Array, epoch: int) -> None:
        before = np.where(self._read[places] == epoch, self._reader[places], agents)
        self._reader[places] = agents
        others = (before != agents) | (self._reader[places] != agents)
        self._reader[places[others]] = SEVERAL
        self._read[places] = epoch


@dataclass
class BlockArray:
    """
    An array of a body: its elements in row-major order along axis 0 of `data`.

    With `per_lane`, `data` has an axis 1 for the threads, which each have such an array.
    """

    data: Array
    shape: tuple[int, ...]
    space: MemorySpace
    per_lane: bool = False
    tracker: AccessTracker | None = None

    def place(self, index: tuple[Index, ...], lanes: Lanes) -> Index:
        """
        The position along axis 0 of `data`.

        Raises RammerError if an active lane's index leaves the array; one of a lane that is not active becomes 0.
        """
        place: Index = 0
        for values, extent in zip(index, self.shape, strict=True):
            inside = values
            if isinstance(values, int):
                if not 0 <= values < extent:
                    self._refuse(np.True_, index, lanes)
                    inside = 0
            else:
                wrong = values.view(np.uint64) >= extent
                if wrong.any():
                    self._refuse(wrong, index, lanes)
                    inside = np.where(wrong, 0, values)
            place = place * extent + inside
        return place

    def _refuse(self, wrong: Any, index: tuple[Index, ...], lanes: Lanes) -> None:
        """Raises RammerError if one of the lanes at fault is active."""
        culprits = np.broadcast_to(wrong if lanes.active is None else lanes.active & wrong, lanes.shape)
        if culprits.any():
            first = [int(np.broadcast_to(values, lanes.shape)[culprits].reshape(-1)[0]) for values in index]
            raise RammerError(f"index {first} leaves an array of {list(self.shape)} in {self.space.value} memory")

    def poison(self) -> None:
        """Make the contents unfit for use, as after the memory went to something else."""
        self.data[...] = np.nan if is_float(self.data.dtype) else -1
