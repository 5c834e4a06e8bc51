"""The weight ring between the two roles of a vEU, for one task."""

from collections import deque
from math import prod

from rammer_ir.dialects.block import MemorySpace
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.block_memory import BlockArray
from rammer_ir.interpreters.element_types import Array


class WeightRing:
    """Chunks of weights, in the order in which they were pushed."""

    def __init__(self) -> None:
        self._pushed: deque[Array] = deque()
        self._held: deque[BlockArray] = deque()

    def push(self, chunk: Array) -> None:
        """Bring a chunk."""
        self._pushed.append(chunk)

    def wait(self, shape: tuple[int, ...]) -> BlockArray:
        """The next chunk, as an array of the shape; raises RammerError if there is none of this size."""
        if not self._pushed:
            raise RammerError("a task waits for a chunk of weights that its service role does not push")
        chunk = self._pushed.popleft()
        if chunk.size != prod(shape):
            raise RammerError(f"a chunk of {chunk.size} weights is taken as an array of {list(shape)}")
        self._held.append(BlockArray(chunk, shape, MemorySpace.SHARED))
        return self._held[-1]

    def release(self) -> None:
        """Give back the slot of the oldest chunk; raises RammerError if none is held."""
        if not self._held:
            raise RammerError("a slot of the ring is released that the task does not hold")
        self._held.popleft().poison()

    def check_finished(self) -> None:
        """Raises RammerError if a task leaves chunks to the next one."""
        if self._pushed or self._held:
            raise RammerError(
                f"a task leaves {len(self._pushed)} chunks of the ring unread, {len(self._held)} unreleased"
            )
