"""Indices into arrays as C expressions."""

import re
from collections.abc import Sequence
from typing import Final

from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Attribute

from rammer_ir.lowering.element_types import strides
from rammer_ir.lowering.targets.c_text import bare

_NUMBER: Final = re.compile(r"-?\d+")
_ATOM: Final = re.compile(r"\w+")


def element_index(memref: MemRefType[Attribute], indices: Sequence[str]) -> str:
    """Which element of an array, as an expression; raises CompileError for layouts that are not strided."""
    terms: list[str] = []
    constant = 0
    for index, stride in zip(indices, strides(memref), strict=True):
        if _NUMBER.fullmatch(index):
            constant += int(index) * stride
        elif stride == 1:
            terms.append(index)
        else:
            terms.append(f"{index} * {stride}")
    if constant != 0 or not terms:
        terms.append(str(constant))
    return bare(terms[0]) if len(terms) == 1 else " + ".join(terms)


def place(pointer: str, index: str) -> str:
    """A pointer to an element. The index is summed up in 32 bits before it is added to the address."""
    if index == "0":
        return pointer
    return f"{pointer} + {index}" if _ATOM.fullmatch(index) else f"{pointer} + ({index})"
