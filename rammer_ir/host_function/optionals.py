"""Optionals: a value, or none."""

from collections.abc import Sequence

import numpy as np

from rammer_ir.host_function.registry import HostNode, host_op
from rammer_ir.host_function.values import HostValue


@host_op("Optional", always=True)
def optional(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    return [inputs[0] if inputs else None]


@host_op("OptionalHasElement", always=True)
def has_element(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """Whether there is a value."""
    return [np.array(bool(inputs) and inputs[0] is not None)]


@host_op("OptionalGetElement", always=True)
def element(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """The value, which must be there."""
    if inputs[0] is None:
        raise node.error("takes the value of an optional that is empty")
    return [inputs[0]]
