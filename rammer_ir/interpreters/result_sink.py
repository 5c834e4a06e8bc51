"""Where the results of a generic go: nothing is written before everything is read."""

from dataclasses import dataclass

import numpy as np

from rammer_ir.dialects import rop
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.element_types import Array
from rammer_ir.interpreters.reductions import COMBINE, accumulator_dtype, narrowed, neutral
from rammer_ir.interpreters.tensor_access import Access, IndexBox, in_range


@dataclass(frozen=True)
class Target:
    """Where a box writes: an index, and at which points of the box (None: at all)."""

    index: tuple[Array, ...]
    valid: Array | None

    @property
    def is_empty(self) -> bool:
        return self.valid is not None and not self.valid.any()

    def places(self, values: Array) -> tuple[tuple[Array, ...], Array]:
        """The index and the values to write, of the same shape; `values` has the shape of the points written."""
        index = tuple(np.broadcast_to(part, values.shape) for part in self.index)
        if self.valid is None:
            return index, values
        valid = np.broadcast_to(self.valid, values.shape)
        return tuple(part[valid] for part in index), values[valid]


class ResultSink:
    """Collects what is written into one result, and writes it at the end."""

    def __init__(self, result: Array, access: Access, unused: frozenset[int], combiner: rop.Combiner) -> None:
        self.result = result
        self.access = access
        self.combiner = combiner
        self.reduced = unused
        dtype = accumulator_dtype(result.dtype, combiner) if unused else result.dtype
        self.values = np.full(result.shape, neutral(combiner, dtype) if unused else 0, dtype)
        self.written = np.zeros(result.shape, np.bool_)
        self.count = 0

    def target(self, box: IndexBox, *, clip: bool) -> Target:
        index = self.access.index(box)
        valid = in_range(index, self.result.shape)
        if valid is not None and not clip:
            raise RammerError(f"a write by {self.access.index_map} leaves {list(self.result.shape)}")
        return Target(index, valid)

    def take(self, target: Target, values: Array, box: IndexBox) -> None:
        """Combine the values of a box's points, 1 on reduced axes, with what is there."""
        shape = [1 if axis in self.reduced else extent for axis, extent in enumerate(box.extents)]
        values = np.broadcast_to(values, shape)
        is_first = all(box.starts[axis] == 0 for axis in self.reduced)
        view, written = self.access.view(self.values, box), self.access.view(self.written, box)
        if view is not None and written is not None and view.shape == values.shape:
            view[...] = self._combined(view, values)
            written[...] |= is_first
        else:
            index, values = target.places(values)
            self.values[index] = self._combined(self.values[index], values)
            self.written[index] |= is_first
        self.count += values.size if is_first else 0

    def _combined(self, before: Array, values: Array) -> Array:
        if not self.reduced or self.combiner is rop.Combiner.NONE:
            return values
        return COMBINE[self.combiner](before, values)

    def flush(self) -> None:
        distinct = int(np.count_nonzero(self.written))
        if distinct != self.count:
            raise RammerError(f"{self.access.index_map} writes {self.count} times to {distinct} elements")
        np.copyto(self.result, narrowed(self.values, self.result.dtype), where=self.written)
