"""Asynchronous copies of a block: what was started, and in which group."""

from collections.abc import Iterator
from dataclasses import dataclass

from rammer_ir.errors import RammerError
from rammer_ir.interpreters.block_lanes import Lanes
from rammer_ir.interpreters.block_memory import BlockArray, Index
from rammer_ir.interpreters.element_types import Array


@dataclass(frozen=True)
class StartedCopy:
    """Values on their way to places of an array, for some lanes."""

    target: BlockArray
    lanes: Lanes
    places: Index
    values: Array


class PendingCopies:
    """Copies in the order of their start. Until a copy is done, its target holds poison."""

    def __init__(self) -> None:
        self._open: list[StartedCopy] = []
        self._groups: list[list[StartedCopy]] = []

    def start(self, copy: StartedCopy) -> None:
        """Put a copy into the group that is open."""
        self._open.append(copy)

    def commit(self) -> None:
        """Close the group."""
        self._groups.append(self._open)
        self._open = []

    def finish_all_but(self, pending: int) -> Iterator[StartedCopy]:
        """The copies that are done when at most so many groups are not."""
        done = max(len(self._groups) - pending, 0)
        finished, self._groups = self._groups[:done], self._groups[done:]
        for group in finished:
            yield from group

    def check_finished(self) -> None:
        """Raises RammerError if a copy was started that nothing waited for."""
        if self._open or any(self._groups):
            raise RammerError("asynchronous copies are not waited for")
