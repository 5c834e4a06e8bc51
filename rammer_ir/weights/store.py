"""Weights by symbol: arrays that share the model's bytes where they can, each content once."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rammer_ir.errors import InvalidInputError

Array: TypeAlias = NDArray[Any]

ALIGNMENT: Final = 256
"""Bytes: what CUDA allocations have, and more than any vector load or bulk copy asks for."""

_HASH_DIGITS: Final = 32


def content_hash(array: Array) -> str:
    """The first half of the SHA-256 of the array's bytes in row-major order, in hexadecimal."""
    return hashlib.sha256(bytes_of(array).data).hexdigest()[:_HASH_DIGITS]


def bytes_of(array: Array) -> NDArray[np.uint8]:
    """The bytes of an array in row-major order; a copy only where they do not lie so."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


class WeightStore(Mapping[str, Array]):
    """
    A mapping from symbols to arrays, which are read-only and contiguous.

    Arrays are kept as they are given, mapped files and views of a model's bytes included; several symbols of the
    same content share one.
    """

    def __init__(self) -> None:
        self._hashes: dict[str, str] = {}
        self._arrays: dict[str, Array] = {}
        self._contents: dict[str, NDArray[np.uint8]] = {}
        self._derived: dict[str, str] = {}

    def __getitem__(self, symbol: str) -> Array:
        return self._arrays[symbol]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def add(self, symbol: str, array: Array, content: str | None = None) -> str:
        """
        Keep an array under a symbol and return the hash of its content, which the caller may know.

        Raises ValueError if the symbol has another array already.
        """
        data: NDArray[np.uint8] | None = None
        if content is None:
            # What does not lie in row-major order is copied once, not again to be kept.
            data = bytes_of(array)
            content = content_hash(data)
        if symbol in self._hashes and self._hashes[symbol] != content:
            raise ValueError(f"weight @{symbol} has other contents already")
        kept = self._contents.get(content)
        if kept is None:
            kept = self._contents[content] = bytes_of(array) if data is None else data
            kept.flags.writeable = False
        self._hashes[symbol] = content
        self._arrays[symbol] = kept.view(array.dtype).reshape(array.shape)
        return content

    def hash_of(self, symbol: str) -> str:
        """The hash of a weight's content; raises KeyError for an unknown symbol."""
        return self._hashes[symbol]

    def add_derived(self, symbol: str, key: str, array: Array) -> None:
        """Keep the value of a recipe, whose `key` stands for its text and its sources; raises as `add` does."""
        self._derived[key] = self.add(symbol, array)

    def derived(self, key: str) -> NDArray[np.uint8] | None:
        """The bytes of the value that was kept for a recipe's key; None if there is none."""
        content = self._derived.get(key)
        return None if content is None else self._contents[content]

    def retain(self, symbols: Sequence[str]) -> None:
        """Forget all weights but these."""
        wanted = set(symbols)
        self._hashes = {symbol: content for symbol, content in self._hashes.items() if symbol in wanted}
        self._arrays = {symbol: array for symbol, array in self._arrays.items() if symbol in wanted}
        contents = {*self._hashes.values(), *self._derived.values()}
        self._contents = {content: self._contents[content] for content in contents}

    def pack(self, order: Sequence[str]) -> tuple[dict[str, int], NDArray[np.uint8]]:
        """
        One arena with the weights in the given order, of first use, and the offset of each in bytes.

        Offsets and the arena itself are aligned to 256 bytes; a content that occurs under several symbols is there
        once, where it is first. Bytes between weights are zero. Raises InvalidInputError for an unknown symbol.
        """
        offsets: dict[str, int] = {}
        places: dict[str, int] = {}
        end = 0
        for symbol in order:
            if symbol not in self._arrays:
                raise InvalidInputError(f"there is no weight @{symbol} in the store")
            content = self._hashes[symbol]
            if content not in places:
                places[content] = end
                end += -(-self._contents[content].size // ALIGNMENT) * ALIGNMENT
            offsets[symbol] = places[content]
        arena = aligned_zeros(end)
        for content, offset in places.items():
            source = self._contents[content]
            arena[offset : offset + source.size] = source
        return offsets, arena

    def arrange(self, places: Sequence[tuple[str, int]], size: int) -> NDArray[np.uint8]:
        """
        An arena of `size` bytes, aligned to 256, with each weight at its offset; bytes between weights are zero.

        Raises InvalidInputError for a symbol that is not in the store.
        """
        arena = aligned_zeros(size)
        for symbol, offset in places:
            if symbol not in self._arrays:
                raise InvalidInputError(f"there is no weight @{symbol} in the store")
            source = self._contents[self._hashes[symbol]]
            arena[offset : offset + source.size] = source
        return arena


def aligned_zeros(size: int) -> NDArray[np.uint8]:
    """Zero bytes, aligned to `ALIGNMENT`."""
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]
