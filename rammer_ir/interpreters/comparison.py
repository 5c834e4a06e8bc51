"""Results that should agree, up to the rounding of another order of operations."""

from dataclasses import dataclass

import numpy as np

from rammer_ir.interpreters.element_types import Array, is_float


@dataclass(frozen=True)
class Tolerance:
    """How far floats may be apart: `absolute + relative * |expected|`. Integers must be equal, and NaN equals NaN."""

    relative: float = 1e-5
    absolute: float = 1e-5


def describe_difference(expected: Array, actual: Array, tolerance: Tolerance) -> str | None:
    """In what two arrays differ, for a message; None if they agree."""
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        return f"{actual.dtype}{list(actual.shape)} instead of {expected.dtype}{list(expected.shape)}"
    if is_float(expected.dtype):
        equal = np.isclose(
            actual.astype(np.float64),
            expected.astype(np.float64),
            rtol=tolerance.relative,
            atol=tolerance.absolute,
            equal_nan=True,
        )
    else:
        equal = expected == actual
    if equal.all():
        return None
    place = tuple(int(index) for index in np.argwhere(~equal)[0])
    return (
        f"{int((~equal).sum())} of {equal.size} elements differ, the first at {list(place)}: "
        f"{actual[place]} instead of {expected[place]}"
    )
