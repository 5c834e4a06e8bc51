"""Integers as attributes: what our ops and attributes keep sizes, counts and positions in."""

from collections.abc import Sequence

from xdsl.dialects.builtin import I64, DenseArrayBase, IntegerAttr, i64

Integer = IntegerAttr[I64]
Integers = DenseArrayBase[I64]


def integer(value: int) -> Integer:
    return IntegerAttr(value, i64)


def optional_integer(value: int | None) -> Integer | None:
    return None if value is None else integer(value)


def integers(values: Sequence[int]) -> Integers:
    return DenseArrayBase.from_list(i64, values)
