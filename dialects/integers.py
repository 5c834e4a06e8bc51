"""Integers as attributes: what our ops and attributes keep sizes, counts and positions in."""

from collections.abc import Sequence
from functools import lru_cache

from xdsl.dialects.builtin import I64, DenseArrayBase, IntegerAttr, i64

Integer = IntegerAttr[I64]
Integers = DenseArrayBase[I64]


def integer(value: int) -> Integer:
    return IntegerAttr(value, i64)


def optional_integer(value: int | None) -> Integer | None:
    return None if value is None else integer(value)


def integers(values: Sequence[int]) -> Integers:
    return DenseArrayBase.from_list(i64, values)


def values_of(array: Integers) -> tuple[int, ...]:
    """The integers of an array; decoded once for each content."""
    return _decoded(array.data.data)


@lru_cache(maxsize=1 << 16)
def _decoded(data: bytes) -> tuple[int, ...]:
    return tuple(i64.unpack(data, len(data) // i64.size))
