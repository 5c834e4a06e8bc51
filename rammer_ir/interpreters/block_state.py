"""The state of one role at work on one task, and how it reads and writes arrays."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np

from rammer_ir.dialects.block import MemorySpace
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.block_copies import PendingCopies
from rammer_ir.interpreters.block_lanes import Lanes
from rammer_ir.interpreters.block_memory import BlockArray, Index
from rammer_ir.interpreters.block_ring import WeightRing
from rammer_ir.interpreters.element_types import Array, is_float


class BlockState:
    """
    Values by slot, the lanes at work, and what is under way.

    A value is a number that all lanes share (an index or truth value as Python's int or bool, others as NumPy
    scalars), an array with one for each iteration at work, or a `BlockArray`. `steps` is for how many steps of a loop
    the body is run.
    """

    def __init__(self, slots: int, threads: int, ring: WeightRing, steps: int = 1) -> None:
        self.values: list[Any] = [None] * slots
        self.threads = threads
        self.ring = ring
        self.steps = steps
        self.copies = PendingCopies()
        self.epoch = 0
        self.lanes = Lanes()

    @contextmanager
    def using(self, lanes: Lanes) -> Generator[None]:
        """Work with other lanes inside."""
        outside, self.lanes = self.lanes, lanes
        try:
            yield
        finally:
            self.lanes = outside

    def get(self, slot: int) -> Any:
        """A value, with an axis for each of the lanes' axes unless all lanes share it."""
        return self.lanes.aligned(self.values[slot])

    def place(self, array: BlockArray, slots: tuple[int, ...], elements: int = 1) -> Index:
        """Where an access starts in an array's data; it is checked for range, and a copy of several for alignment."""
        place = array.place(tuple(self.get(slot) for slot in slots), self.lanes)
        if elements > 1:
            selected = self.lanes.select(place)
            wrong = selected % elements != 0
            if wrong.any():
                raise RammerError(f"a copy of {elements} elements starts at {int(selected[wrong][0])}")
            if selected.size and int(selected.max()) + elements > len(array.data):
                raise RammerError(f"a copy of {elements} elements leaves an array of {list(array.shape)}")
            if self.lanes.active is not None:
                place = np.where(self.lanes.active, place, 0)
        return place

    def read(self, array: BlockArray, place: Index) -> Any:
        """What the lanes read there."""
        if array.tracker is not None:
            array.tracker.note_read(place, self.lanes, self.epoch)
        if not array.per_lane:
            values = array.data[place]
            if array.space is MemorySpace.WORDS and np.isnan(self.lanes.select(values)).any():
                raise RammerError("a thread waits for a word that nothing has written")
            return values
        rows = self._rows(array)
        if isinstance(place, int):
            return array.data[place, :rows].copy()
        return array.data[place, self.lanes.aligned(np.arange(rows))]

    def write(self, array: BlockArray, place: Index, values: Any) -> None:
        """What the active lanes write there."""
        lanes = self.lanes
        if array.per_lane:
            rows = self._rows(array)
            part = (place, np.s_[:rows] if isinstance(place, int) else np.arange(rows))
            array.data[part] = values if lanes.active is None else np.where(lanes.active, values, array.data[part])
            return
        if array.tracker is not None:
            array.tracker.note_write(place, lanes, self.epoch)
        if not lanes.shape:
            array.data[place] = values
            return
        places, stored = lanes.select(place), lanes.select(values)
        array.data[places] = stored
        if not np.array_equal(array.data[places], stored, equal_nan=is_float(stored.dtype)):
            raise RammerError("two iterations of a parallel loop write different values to one place")

    def _rows(self, array: BlockArray) -> int:
        """How many of the per-thread arrays the iterations at work have."""
        lanes, arrays = self.lanes, array.data.shape[1]
        if not lanes.shape or lanes.shape[0] > arrays or (lanes.is_warp and lanes.shape[0] != arrays):
            raise RammerError("per-thread memory belongs to the iterations of a loop over at most the body's threads")
        return lanes.shape[0]

    def copy(self, source: BlockArray, first: Index, target: BlockArray, to: Index, elements: int) -> None:
        """Copy consecutive elements."""
        values = [self.read(source, first + offset) for offset in range(elements)]
        for offset, value in enumerate(values):
            self.write(target, to + offset, value)

    def read_where(self, array: BlockArray, slots: tuple[int, ...], predicate: Any, elements: int) -> list[Array]:
        """Consecutive elements where a predicate holds, zeros elsewhere: nothing is read there."""
        if predicate is True:
            first = self.place(array, slots, elements)
            return [self.read(array, first + offset) for offset in range(elements)]
        with self.using(self.lanes.where(predicate)):
            if self.lanes.is_idle:
                return [np.zeros((), array.data.dtype)] * elements
            first = self.place(array, slots, elements)
            values = [self.read(array, first + offset) for offset in range(elements)]
        zero = np.zeros((), array.data.dtype)
        return [np.where(self.lanes.aligned(predicate), value, zero) for value in values]
