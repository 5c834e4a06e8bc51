"""Memory spaces of arrays in kernel bodies."""

from typing import cast

from xdsl.dialects.builtin import (
    MemRefType,
    StringAttr,
)
from xdsl.ir import (
    Attribute,
    SSAValue,
)
from xdsl.utils.str_enum import StrEnum


class MemorySpace(StrEnum):
    """
    Where an array of a body lives: the memory space of its memref type, as a string attribute.

    `global`: may be written in this launch, read through L2. `weights`: read-only for the whole launch. `words`:
    8-byte pairs of epoch and value; a load waits for the value. `pinned`: weights in the shared memory of this vEU.
    `shared`: scratch of one task. `thread`: one array for each thread.
    """

    GLOBAL = "global"
    WEIGHTS = "weights"
    WORDS = "words"
    PINNED = "pinned"
    SHARED = "shared"
    THREAD = "thread"


def memref_type(value: SSAValue) -> MemRefType[Attribute]:
    """The type of a value that is a memref."""
    return cast("MemRefType[Attribute]", value.type)


def memory_space(value: SSAValue) -> MemorySpace | None:
    """The memory space of a memref value, or None where its type names none of ours."""
    if not isinstance(value.type, MemRefType):
        return None
    space = memref_type(value).memory_space
    if not isinstance(space, StringAttr) or space.data not in tuple(MemorySpace):
        return None
    return MemorySpace(space.data)
