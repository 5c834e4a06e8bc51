"""Which function imports which ONNX op, by domain, name and opset."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from rammer_ir.frontend.graph_builder import GraphBuilder
    from rammer_ir.frontend.node import Node
    from rammer_ir.frontend.value import Value

    Handler: TypeAlias = Callable[[Node, GraphBuilder], Value | Sequence[Value | None]]


@dataclass(frozen=True)
class _Entry:
    since: int
    until: int | None
    handler: "Handler"


_ENTRIES: dict[tuple[str, str], list[_Entry]] = {}


def onnx_op(
    op_type: str, *, since: int = 1, until: int | None = None, domain: str = ""
) -> "Callable[[Handler], Handler]":
    """
    Registers a function as the importer of an op at opsets `since` to `until`, both included.

    The function takes the node and the builder, and gives the node's outputs: one value, or a sequence with None for
    those that the model does not use.
    """

    def register(handler: "Handler") -> "Handler":
        _ENTRIES.setdefault((domain, op_type), []).append(_Entry(since, until, handler))
        return handler

    return register


def find_handler(domain: str, op_type: str, opset: int) -> "Handler | None":
    """The function that imports the op at the opset; None if there is none."""
    # It registers them, and needs this module itself.
    import_module("rammer_ir.frontend.ops")
    for entry in _ENTRIES.get((domain, op_type), ()):
        if entry.since <= opset and (entry.until is None or opset <= entry.until):
            return entry.handler
    return None
