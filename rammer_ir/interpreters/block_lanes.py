"""Which threads or warps of a block are at work: parallel loops run as vectors with one element an iteration."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rammer_ir.interpreters.element_types import Array

WARP_LANES = 32
SERIAL = -3
"""The agent outside of parallel loops: every thread does the same."""

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

    def aligned(self, values: Any) -> Any:
        """The values with an axis for each of the lanes' axes, unless they are the same for all."""
        return values[:, np.newaxis] if len(self.shape) > 1 and np.ndim(values) == 1 else values

    def where(self, condition: Any) -> "Lanes":
        """Those of the lanes for which a condition holds."""
        condition = np.broadcast_to(self.aligned(condition), self.shape)
        return replace(self, active=condition if self.active is None else self.active & condition)

    @property
    def is_idle(self) -> bool:
        """Whether no lane is active."""
        return self.active is not None and not self.active.any()

    def select(self, values: Any) -> Array:
        """The values of the active lanes, as a vector."""
        whole = np.broadcast_to(self.aligned(values), self.shape)
        return whole.reshape(-1) if self.active is None else whole[self.active]

    def who(self) -> Array:
        """The agents of the active lanes, as a vector."""
        return self.select(SERIAL if self.agents is None else self.agents)


def thread_lanes(iterations: int, threads: int) -> Lanes:
    """The iterations of a parallel loop over threads; a body's only thread runs what is outside of them as well."""
    return Lanes((iterations,), np.arange(iterations) % threads if threads > 1 else None)


def warp_lanes(iterations: int, threads: int) -> Lanes:
    """The iterations of a parallel loop over warps."""
    warps = max(threads // WARP_LANES, 1)
    agents = _FIRST_WARP + np.arange(iterations) % warps if threads > 1 else None
    return Lanes((iterations,), agents, is_warp=True)


def reduction_lanes(lanes: Lanes, indices: int) -> Lanes:
    """The lanes of a reduction inside a loop over warps, with as many indices for each."""
    active = None if lanes.active is None else np.broadcast_to(lanes.active[:, np.newaxis], (*lanes.shape, indices))
    agents = None if lanes.agents is None else lanes.agents[:, np.newaxis]
    return Lanes((*lanes.shape, indices), agents, active, lanes.is_warp)
