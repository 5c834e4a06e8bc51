"""NumPy's dtypes by name, those of ml_dtypes among them."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np

NARROW_FLOATS: Final = (
    "bfloat16",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "float4_e2m1fn",
)
"""Floating-point types that NumPy itself lacks."""

NARROW_INTEGERS: Final = ("int4", "uint4", "int2", "uint2")
"""Integer types that NumPy itself lacks: a byte an element, whose lower bits count."""


def named_dtype(name: str) -> "np.dtype[Any]":
    """The dtype of a name; raises TypeError if there is none."""
    import numpy as np

    if name in NARROW_FLOATS or name in NARROW_INTEGERS:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))
    return np.dtype(name)
