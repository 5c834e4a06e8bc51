"""Where an op stands."""

from typing import TypeVar

from xdsl.ir import Operation

OpT = TypeVar("OpT", bound=Operation)


def enclosing_op(op: Operation, kind: type[OpT]) -> OpT | None:
    """The nearest op of a kind that an op stands in."""
    parent = op.parent_op()
    while parent is not None and not isinstance(parent, kind):
        parent = parent.parent_op()
    return parent
