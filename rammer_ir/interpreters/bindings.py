"""Arrays for the inputs of a function or program, by name or by position."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import numpy as np

from rammer_ir.dtypes import named_dtype
from rammer_ir.errors import InvalidInputError
from rammer_ir.interpreters.element_types import Array, DType

Inputs: TypeAlias = Mapping[str, Array] | Mapping[int, Array] | Mapping[str | int, Array]


def bound_arrays(inputs: Inputs, names: Sequence[str | None], owner: str) -> list[Array]:
    """
    An array for each of the inputs of `owner`, whose names are given (None: it has none).

    Raises InvalidInputError for one that is missing, and for one that is no input.
    """
    given = cast("Mapping[str | int, Array]", inputs)
    unknown = sorted(str(key) for key in set(given) - {*names, *range(len(names))})
    if unknown:
        raise InvalidInputError(f"{owner} has no input {', '.join(unknown)}")
    arrays: list[Array] = []
    for position, name in enumerate(names):
        key = position if position in given or name is None else name
        if key not in given:
            raise InvalidInputError(f"no array is given for input {key} of {owner}")
        arrays.append(given[key])
    return arrays


def as_stored(array: Array, name: str | None, dtype: DType) -> Array:
    """
    What a caller binds as the program has it, of `dtype`: the same bytes, where the array is of the type of that name.

    `name` is NumPy's name of an element type that the IR stores as another (None: it does not).
    """
    values = np.asarray(array)
    return values.view(dtype) if values.dtype.name == name and values.dtype.itemsize == dtype.itemsize else values


def as_named(array: Array, name: str | None) -> Array:
    """A result as the caller has it: the same bytes, of the type of that name."""
    return array if name is None else array.view(named_dtype(name))
