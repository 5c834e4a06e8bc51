"""Which loops a CUDA compiler is asked to unroll."""

from typing import Final, cast

from xdsl.dialects import scf
from xdsl.dialects.builtin import IntegerAttr

UNROLL_ATTRIBUTE: Final = "block.unroll"
"""Attribute of a loop that the compiler is to unroll: completely (unit), or by a factor (integer)."""


def unrolling(loop: scf.ForOp) -> int | None:
    """The factor by which to unroll a loop: 0 for completely, None for not at all."""
    factor = loop.attributes.get(UNROLL_ATTRIBUTE)
    if factor is None:
        return None
    return cast("IntegerAttr", factor).value.data if isinstance(factor, IntegerAttr) else 0
