"""Element-wise functions of several tensors, with broadcasting."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Final

from xdsl.dialects.builtin import i1
from xdsl.ir import Attribute, SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.generics import ScalarBody
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.explicit_broadcast import LAST_OPSET, explicitly_broadcast
from rammer_ir.frontend.ops.shapes import broadcast_shape
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


def _combined(
    node: Node,
    build: GraphBuilder,
    values: Sequence[Value],
    body: ScalarBody,
    element_type: Attribute | None = None,
) -> Value:
    return build.pointwise(values, broadcast_shape(node, values), body, element_type)


def _importer(
    body: Callable[[SSAValue, SSAValue], SSAValue], element_type: Attribute | None = None
) -> Callable[[Node, GraphBuilder], Value]:
    def import_binary(node: Node, build: GraphBuilder) -> Value:
        return _combined(node, build, [node.input(0), node.input(1)], body, element_type)

    return import_binary


def _comparison(predicate: str) -> Callable[[SSAValue, SSAValue], SSAValue]:
    return lambda lhs, rhs: scalars.compare(predicate, lhs, rhs)


_ARITHMETIC: Final[dict[str, Callable[[SSAValue, SSAValue], SSAValue]]] = {
    "Add": scalars.add,
    "Sub": scalars.subtract,
    "Mul": scalars.multiply,
    "Div": scalars.divide,
}

_LOGIC: Final[dict[str, Callable[[SSAValue, SSAValue], SSAValue]]] = {
    "And": scalars.both,
    "Or": scalars.either,
    "Xor": scalars.differ,
}

_COMPARISONS: Final[dict[str, tuple[int, str]]] = {
    "Equal": (7, "eq"),
    "Greater": (7, "gt"),
    "Less": (7, "lt"),
    "GreaterOrEqual": (12, "ge"),
    "LessOrEqual": (12, "le"),
}

for _name, _body in (_ARITHMETIC | _LOGIC).items():
    onnx_op(_name, since=7)(_importer(_body))
    onnx_op(_name, until=LAST_OPSET)(explicitly_broadcast(_importer(_body)))
for _name, (_since, _predicate) in _COMPARISONS.items():
    onnx_op(_name, since=_since)(_importer(_comparison(_predicate), i1))
for _name in ("Equal", "Greater", "Less"):
    onnx_op(_name, until=LAST_OPSET)(explicitly_broadcast(_importer(_comparison(_COMPARISONS[_name][1]), i1)))


def _variadic_importer(function: Callable[[SSAValue, SSAValue], SSAValue]) -> Callable[[Node, GraphBuilder], Value]:
    def body(*elements: SSAValue) -> SSAValue:
        return reduce(function, elements)

    def import_variadic(node: Node, build: GraphBuilder) -> Value:
        values = [node.input(position) for position in range(len(node.inputs))]
        if len(values) == 1:
            return values[0]
        return _combined(node, build, values, body)

    return import_variadic


for _name, _function in (("Max", scalars.maximum), ("Min", scalars.minimum), ("Sum", scalars.add)):
    onnx_op(_name)(_variadic_importer(_function))


@onnx_op("Mean")
def mean(node: Node, build: GraphBuilder) -> Value:
    values = [node.input(position) for position in range(len(node.inputs))]

    def body(*elements: SSAValue) -> SSAValue:
        total = reduce(scalars.add, elements)
        return scalars.divide(total, scalars.constant_like(len(elements), total))

    return _combined(node, build, values, body)


@onnx_op("Where", since=9)
def where(node: Node, build: GraphBuilder) -> Value:
    condition, if_true, if_false = (node.input(position) for position in range(3))
    return _combined(node, build, [condition, if_true, if_false], scalars.select, if_true.element_type)
