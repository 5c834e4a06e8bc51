"""Checks what a caller binds to a program's inputs, for both runtimes; errors say in one line what is expected."""

import operator
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from rammer_ir.errors import InvalidInputError
from rammer_ir.runtime.program_image import Binding, ProgramImage

LARGEST_SCALAR: Final = 2**31 - 1
"""Scalars are ``int32`` on the device."""


def check_names(image: ProgramImage, names: Iterable[str]) -> None:
    """Raise InvalidInputError unless `names` are the inputs of `image` and its free scalars, each once."""
    expected = [binding.name for binding in image.inputs] + list(free_scalars(image))
    given = set(names)
    for name in sorted(given.difference(expected)):
        close = get_close_matches(name, expected, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"the inputs are {_listed(expected)}"
        raise InvalidInputError(f"there is no input {name!r}: {hint}", location=image.name)
    for name in expected:
        if name not in given:
            raise InvalidInputError(
                f"input {name!r} is missing: expected {_expected(image, name)}", location=image.name
            )


def free_scalars(image: ProgramImage) -> tuple[str, ...]:
    """The scalars that no input's length tells: the caller passes them as integers under their own names."""
    told = {binding.length for binding in image.inputs}
    return tuple(name for name in image.scalars if name not in told)


def check_form(binding: Binding, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
    """
    Raise InvalidInputError unless an array of this shape and dtype can be bound.

    Where the binding has a run-time length, the first dimension may be anything up to the declared maximum.
    """
    if dtype != binding.element_dtype:
        raise InvalidInputError(
            f"input {binding.name!r} has dtype {dtype}, expected {binding.dtype}: "
            f"convert it with .astype({binding.dtype!r})"
        )
    if not _fits(binding, shape):
        raise InvalidInputError(f"input {binding.name!r} has shape {_shape(shape)}, expected {describe(binding)}")


def scalar_values(
    image: ProgramImage, shapes: Mapping[str, tuple[int, ...]], given: Mapping[str, object]
) -> tuple[int, ...]:
    """
    The program's scalars in order: lengths of the inputs, whose `shapes` are by name, and what is `given`.

    Raises InvalidInputError if two inputs disagree, or a value is no integer or exceeds a declared maximum.
    """
    values = {name: _free_scalar(image, name, given[name]) for name in free_scalars(image)}
    source: dict[str, str] = {}
    for binding in image.inputs:
        if binding.length is None:
            continue
        length = shapes[binding.name][0]
        if values.setdefault(binding.length, length) != length:
            raise InvalidInputError(
                f"inputs {source[binding.length]!r} and {binding.name!r} have lengths {values[binding.length]} and "
                f"{length}, expected one length {binding.length!r} for both",
                location=image.name,
            )
        source.setdefault(binding.length, binding.name)
    return tuple(values[name] for name in image.scalars)


def host_array(binding: Binding, value: object) -> NDArray[np.generic]:
    """
    `value` as a dense, aligned, row-major array in host memory, checked; it shares memory with `value` where it can.

    Takes NumPy arrays and whatever speaks DLPack and lies in host memory. Raises InvalidInputError otherwise.
    """
    array = _as_numpy(binding, value)
    check_form(binding, array.shape, array.dtype)
    return np.require(array, requirements=["C", "A"])


def visible_shape(binding: Binding, scalars: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of a binding for these scalars: the first dimension is cut to its run-time length."""
    if binding.length is None:
        return binding.shape
    return (scalars[binding.length], *binding.shape[1:])


def describe(binding: Binding) -> str:
    """Dtype and shape of a binding for people: ``float32 array of shape [length <= 100, 256]``."""
    dimensions = [str(size) for size in binding.shape]
    if binding.length is not None:
        dimensions[0] = f"{binding.length} <= {dimensions[0]}"
    return f"{binding.dtype} array of shape [{', '.join(dimensions)}]"


def read_dlpack(name: str, value: object) -> NDArray[np.generic]:
    """The array that an object offers by DLPack; raises InvalidInputError, with the input's name, if it cannot."""
    try:
        return np.from_dlpack(value)  # pyright: ignore[reportArgumentType]
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InvalidInputError(
            f"input {name!r} cannot be read as an array in host memory ({reason}): pass a NumPy array"
        ) from error


def _as_numpy(binding: Binding, value: object) -> NDArray[np.generic]:
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(cast("NDArray[np.generic]", value))
    if hasattr(value, "__dlpack__") and hasattr(value, "__dlpack_device__"):
        return read_dlpack(binding.name, value)
    raise InvalidInputError(
        f"input {binding.name!r} is of type {type(value).__name__}, expected {describe(binding)}: "
        f"convert it with numpy.asarray(value, {binding.dtype!r})"
    )


def _fits(binding: Binding, shape: tuple[int, ...]) -> bool:
    if binding.length is None:
        return shape == binding.shape
    return len(shape) == len(binding.shape) and shape[0] <= binding.shape[0] and shape[1:] == binding.shape[1:]


def _free_scalar(image: ProgramImage, name: str, value: object) -> int:
    try:
        number = operator.index(value)  # pyright: ignore[reportArgumentType]
    except TypeError:
        raise InvalidInputError(
            f"input {name!r} is of type {type(value).__name__}, expected an integer", location=image.name
        ) from None
    largest = min((b.shape[0] for b in image.outputs if b.length == name), default=LARGEST_SCALAR)
    if not 0 <= number <= largest:
        raise InvalidInputError(f"input {name!r} is {number}, expected 0 <= {name} <= {largest}", location=image.name)
    return number


def _expected(image: ProgramImage, name: str) -> str:
    for binding in image.inputs:
        if binding.name == name:
            return describe(binding)
    return "an integer"


def _shape(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names)) if names else "none"
