"""Which inputs of a graph a value follows from: those become parameters."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from math import prod
from typing import Final

import onnx

from rammer_ir.frontend.value import Value
from rammer_ir.specialisation.arithmetic import is_arithmetic

MOST_PARAMETER_ELEMENTS: Final = 1024
"""An input with more elements is no parameter, unless a node wants to know the input itself."""


def sources_of(
    name: str, inputs: AbstractSet[str], values: Mapping[str, Value], producers: Mapping[str, onnx.NodeProto]
) -> set[str] | None:
    """
    The `inputs` of a graph that a value follows from; None if it takes more than arithmetic on small inputs.

    `values` has what is typed or known, and `producers` the nodes of what is not.
    """
    if name in inputs:
        return {name}
    found: set[str] = set()
    pending, seen = [name], {name}
    while pending:
        current = pending.pop()
        if current not in values:
            return None
        value = values[current]
        if value.constant is not None:
            continue
        if current in inputs:
            if prod(value.shape) > MOST_PARAMETER_ELEMENTS:
                return None
            found.add(current)
            continue
        producer = producers[current]
        if not is_arithmetic(producer):
            return None
        new = [item for item in producer.input if item and item not in seen]
        seen.update(new)
        pending += new
    return found
