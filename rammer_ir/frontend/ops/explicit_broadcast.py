"""Broadcasting before opset 7: a node has to ask for it, and says where the second operand's dimensions go."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.views import reshaped
from rammer_ir.frontend.value import Value

if TYPE_CHECKING:
    from rammer_ir.frontend.registry import Handler

LAST_OPSET = 6


def explicitly_broadcast(importer: "Handler") -> "Handler":
    """The importer of an op of two operands, for nodes with the attributes `broadcast` and `axis`."""

    def import_old(node: Node, build: GraphBuilder) -> Value | Sequence[Value | None]:
        lhs, rhs = node.input(0), node.input(1)
        if node.integer("broadcast", 0) == 0:
            if lhs.shape != rhs.shape:
                raise node.error(f"has inputs of shapes {list(lhs.shape)} and {list(rhs.shape)}, and no broadcast")
            return importer(node, build)
        axis = node.axis("axis", 0, lhs.rank) if node.has("axis") else lhs.rank - rhs.rank
        below = lhs.rank - axis - rhs.rank
        if axis < 0 or below < 0:
            raise node.error(f"has an input of {rhs.rank} dimensions at axis {axis} of {lhs.rank}")
        return importer(node.with_input(1, reshaped(build, rhs, (*rhs.shape, *(1,) * below))), build)

    return import_old
