"""Which threads or warps of a block are at work: parallel loops run as vectors with one element an iteration."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from rammer_ir.interpreters.element_types import Array

WARP_LANES = 32
_FIRST_WARP = 1 << 20
"""Agents from here on are warps."""


@dataclass(frozen=True)
class Lanes:
    """
    The iterations that are run at once.

    `shape` is empty outside of parallel loops, [iterations] in one, and [iterations, indices] in a reduction by warps.
    `agents` tells for each iteration who runs it (None: all threads do the same). Where `active` is false, an
    iteration takes no part (None: all do).
    """

    shape: tuple[int, ...] = ()
    agents: Array | None = None
    active: Array | None = None
    is_warp: bool = False

    def aligned(self, values: Array) -> Array:
        """The values with an axis for each of the lanes' axes, unless they are the same for all."""
        if values.ndim in (0, len(self.shape)):
            return values
        return values.reshape(values.shape + (1,) * (len(self.shape) - values.ndim))

    def where(self, condition: Array) -> "Lanes":
        """Those of the lanes for which a condition holds."""
        condition = np.broadcast_to(condition, self.shape)
        return replace(self, active=condition if self.active is None else self.active & condition)

    @property
    def is_idle(self) -> bool:
        return self.active is not None and not self.active.any()

    def select(self, values: Array) -> Array:
        """The values of the active lanes, as a vector."""
        whole = np.broadcast_to(self.aligned(values), self.shape)
        return whole.reshape(-1) if self.active is None else whole[self.active]

    def who(self) -> Array:
        """The agents of the active lanes, as a vector."""
        return self.select(np.asarray(SERIAL) if self.agents is None else self.agents)


SERIAL = -3
"""The agent outside of parallel loops: every thread does the same."""


def thread_lanes(iterations: int, threads: int) -> Lanes:
    """The iterations of a parallel loop over threads."""
    return Lanes((iterations,), np.arange(iterations) % threads)


def warp_lanes(iterations: int, threads: int) -> Lanes:
    """The iterations of a parallel loop over warps."""
    warps = max(threads // WARP_LANES, 1)
    return Lanes((iterations,), _FIRST_WARP + np.arange(iterations) % warps, is_warp=True)


def reduction_lanes(lanes: Lanes, indices: int) -> Lanes:
    """The lanes of a reduction inside a loop over warps, with as many indices for each."""
    active = None if lanes.active is None else np.broadcast_to(lanes.active[:, np.newaxis], (*lanes.shape, indices))
    agents = None if lanes.agents is None else lanes.agents[:, np.newaxis]
    return Lanes((*lanes.shape, indices), agents, active, lanes.is_warp)


class LaneStack:
    """The lanes at work now."""

    def __init__(self) -> None:
        self.now = Lanes()

    @contextmanager
    def use(self, lanes: Lanes) -> Generator[None]:
        """Work with other lanes inside."""
        outside, self.now = self.now, lanes
        try:
            yield
        finally:
            self.now = outside
