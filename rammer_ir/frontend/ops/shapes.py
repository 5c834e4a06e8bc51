"""Shapes of results."""

from collections.abc import Sequence

import numpy as np

from rammer_ir.frontend.node import Node
from rammer_ir.frontend.value import Value


def broadcast_shape(node: Node, values: Sequence[Value]) -> tuple[int, ...]:
    """The shape that all values are broadcast to by NumPy's rule; raises UnsupportedModelError where there is none."""
    try:
        return np.broadcast_shapes(*(value.shape for value in values))
    except ValueError:
        shapes = ", ".join(str(list(value.shape)) for value in values)
        raise node.error(f"has inputs whose shapes do not go together: {shapes}") from None
