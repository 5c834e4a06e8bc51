"""The arrays of a block-form body, with what its threads did to them since the last barrier."""

from dataclasses import dataclass, field
from math import prod

import numpy as np

from rammer_ir.dialects.block import MemorySpace
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.element_types import Array, is_float

NOBODY = -1
SEVERAL = -2


class AccessTracker:
    """
    For every element of a shared array, who wrote and who read it between which barriers.

    Agents are threads, or warps in warp-level loops, by number; an epoch is the time between two barriers. Finds two
    agents of one epoch of which one writes what the other touches: their order is anybody's guess.
    """

    def __init__(self, elements: int) -> None:
        self.writer, self.reader = (np.full(elements, NOBODY, np.int32) for _ in range(2))
        self.written, self.read = (np.full(elements, -1, np.int64) for _ in range(2))

    def note_read(self, places: Array, agents: Array, epoch: int) -> None:
        """Raises RammerError if another agent wrote one of the places in this epoch."""
        if bool(((self.written[places] == epoch) & (self.writer[places] != agents)).any()):
            raise RammerError("a thread reads what another has written since the last barrier")
        before = np.where(self.read[places] == epoch, self.reader[places], agents)
        self.reader[places] = agents
        others = (before != agents) | (self.reader[places] != agents)
        self.reader[places[others]] = SEVERAL
        self.read[places] = epoch

    def note_write(self, places: Array, agents: Array, epoch: int) -> None:
        """Raises RammerError if another agent touched one of the places in this epoch."""
        if bool(((self.written[places] == epoch) & (self.writer[places] != agents)).any()):
            raise RammerError("a thread overwrites what another has written since the last barrier")
        if bool(((self.read[places] == epoch) & (self.reader[places] != agents)).any()):
            raise RammerError("a thread overwrites what another has read since the last barrier")
        self.writer[places] = agents
        self.written[places] = epoch


@dataclass
class BlockArray:
    """
    An array of a body: its elements in row-major order along the last axis of `data`.

    With `per_lane`, axis 0 of `data` is for the threads that each have such an array.
    """

    data: Array
    shape: tuple[int, ...]
    space: MemorySpace
    per_lane: bool = False
    tracker: AccessTracker | None = field(default=None)

    def places(self, index: tuple[Array, ...], active: Array | None) -> Array:
        """
        Positions along the last axis of `data`, for indices that broadcast against each other.

        Raises RammerError if one leaves the array, unless it is of a lane that is not active: that gives 0.
        """
        place: Array = np.zeros((), np.int64)
        valid: Array | np.bool_ = np.True_
        for values, extent in zip(index, self.shape, strict=True):
            valid = valid & (values >= 0) & (values < extent)
            place = place * extent + values
        if np.all(valid):
            return place
        wrong = ~valid if active is None else active & ~valid
        if wrong.any():
            first = [int(np.broadcast_to(values, wrong.shape)[wrong][0]) for values in index]
            raise RammerError(f"index {first} leaves an array of {list(self.shape)} in {self.space.value} memory")
        return np.where(valid, place, 0)

    def poison(self) -> None:
        """Make the contents unfit for use, as after the memory went to something else."""
        self.data[...] = np.nan if is_float(self.data.dtype) else -1


def elements_of(shape: tuple[int, ...]) -> int:
    """The number of elements of an array."""
    return prod(shape)
