"""Which floats are infinite, and which are no numbers."""

import math

from xdsl.dialects.builtin import i1
from xdsl.ir import SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("IsNaN", since=9)
def is_not_a_number(node: Node, build: GraphBuilder) -> Value:
    operand = node.input(0)
    return build.pointwise([operand], operand.shape, lambda x: scalars.compare("ne", x, x), i1)


@onnx_op("IsInf", since=10)
def is_infinite(node: Node, build: GraphBuilder) -> Value:
    """Whether x is one of the infinities that are to be detected, by default either."""
    operand = node.input(0)
    infinities = [
        sign * math.inf
        for sign, attribute in ((1, "detect_positive"), (-1, "detect_negative"))
        if node.integer(attribute, 1) != 0
    ]

    def body(x: SSAValue) -> SSAValue:
        if not infinities:
            return scalars.constant(0, i1)
        found = [scalars.compare("eq", x, scalars.constant_like(infinity, x)) for infinity in infinities]
        return found[0] if len(found) == 1 else scalars.either(*found)

    return build.pointwise([operand], operand.shape, body, i1)
