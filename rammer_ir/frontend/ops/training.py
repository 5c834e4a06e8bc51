"""One step of an optimiser, for any number of tensors at once."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from xdsl.ir import SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.views import reshaped
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value

_DOMAIN = "ai.onnx.preview.training"

_Rule: TypeAlias = Callable[[Node, Sequence[SSAValue]], Sequence[SSAValue]]
"""From the rate, the step's number and an element of each tensor to the next x and the next states."""


def _importer(rule: _Rule, states: int) -> Callable[[Node, GraphBuilder], Sequence[Value]]:
    """For inputs R, T, all X, all gradients, and all of each state; results are all X, then all of each state."""

    def import_step(node: Node, build: GraphBuilder) -> Sequence[Value]:
        count, rest = divmod(len(node.inputs) - 2, states + 2)
        if rest or count == 0:
            raise node.error(f"has {len(node.inputs)} inputs: a rate, a number, and {states + 2} for each tensor")
        rate, number = (_scalar(node, build, position) for position in range(2))
        steps = [
            _step(
                node, build, rule, [rate, number], [node.input(2 + part * count + item) for part in range(states + 2)]
            )
            for item in range(count)
        ]
        return [step[part] for part in range(states + 1) for step in steps]

    return import_step


def _scalar(node: Node, build: GraphBuilder, position: int) -> Value:
    value = node.input(position)
    if value.shape not in ((), (1,)):
        raise node.error(f"has input {position} of shape {list(value.shape)}, not one number")
    return reshaped(build, value, ())


def _step(
    node: Node, build: GraphBuilder, rule: _Rule, numbers: Sequence[Value], tensors: Sequence[Value]
) -> Sequence[Value]:
    shape = tensors[0].shape
    if any(tensor.shape != shape for tensor in tensors):
        raise node.error("has tensors of different shapes that belong together")
    dims = loop_dims(len(shape))
    reads = [*(Read(build.read(number), ()) for number in numbers), *(Read(build.read(item), dims) for item in tensors)]
    kept = [tensors[0], *tensors[2:]]

    def body(*elements: SSAValue) -> Sequence[SSAValue]:
        return rule(node, elements)

    return build.generic(shape, reads, [Write(item.type, dims) for item in kept], body)


def _times(number: float, value: SSAValue) -> SSAValue:
    return scalars.multiply(scalars.constant_like(number, value), value)


def _regularized(node: Node, x: SSAValue, gradient: SSAValue) -> SSAValue:
    return scalars.add(_times(node.floating("norm_coefficient", 0.0), x), gradient)


def _momentum(node: Node, elements: Sequence[SSAValue]) -> Sequence[SSAValue]:
    """v' = alpha v + beta g and x' = x - r v'; by Nesterov x' = x - r (g + alpha v'). Beta is 1 in the first step."""
    rate, number, x, gradient, v = elements
    alpha = node.floating("alpha", 0.0)
    regular = _regularized(node, x, gradient)
    is_later = scalars.compare("gt", number, scalars.constant_like(0, number))
    beta = scalars.constant_like(node.floating("beta", 0.0), x)
    share = scalars.select(is_later, beta, scalars.constant_like(1, x))
    following = scalars.add(_times(alpha, v), scalars.multiply(share, regular))
    mode = node.string("mode", "standard")
    if mode not in ("standard", "nesterov"):
        raise node.error(f"has a mode that is not known: {mode!r}")
    direction = following if mode == "standard" else scalars.add(regular, _times(alpha, following))
    return [scalars.subtract(x, scalars.multiply(scalars.convert(rate, x.type), direction)), following]


def _adagrad(node: Node, elements: Sequence[SSAValue]) -> Sequence[SSAValue]:
    """h' = h + g g and x' = x - r / (1 + t decay) g / (sqrt(h') + epsilon)."""
    rate, number, x, gradient, squares = elements
    regular = _regularized(node, x, gradient)
    following = scalars.add(squares, scalars.multiply(regular, regular))
    decay = _times(node.floating("decay_factor", 0.0), scalars.convert(number, x.type))
    adjusted = scalars.divide(scalars.convert(rate, x.type), scalars.add(scalars.constant_like(1, x), decay))
    divisor = scalars.add(scalars.square_root(following), scalars.constant_like(node.floating("epsilon", 1e-6), x))
    move = scalars.divide(scalars.multiply(adjusted, regular), divisor)
    return [scalars.subtract(x, move), following]


def _adam(node: Node, elements: Sequence[SSAValue]) -> Sequence[SSAValue]:
    """
    v' = alpha v + (1 - alpha) g, h' = beta h + (1 - beta) g g and x' = (1 - c) (x - r' v' / (sqrt(h') + epsilon)).

    r' is r; from step 1 on it makes up for the states' start at zero: r sqrt(1 - beta^t) / (1 - alpha^t).
    """
    rate, number, x, gradient, v, h = elements
    alpha, beta = node.floating("alpha", 0.9), node.floating("beta", 0.999)
    one = scalars.constant_like(1, x)
    regular = _regularized(node, x, gradient)
    next_v = scalars.add(_times(alpha, v), _times(1 - alpha, regular))
    next_h = scalars.add(_times(beta, h), _times(1 - beta, scalars.multiply(regular, regular)))
    step = scalars.convert(number, x.type)

    def missing(base: float) -> SSAValue:
        return scalars.subtract(one, scalars.power(scalars.constant_like(base, x), step))

    plain = scalars.convert(rate, x.type)
    scaled = scalars.divide(scalars.multiply(plain, scalars.square_root(missing(beta))), missing(alpha))
    is_later = scalars.compare("gt", number, scalars.constant_like(0, number))
    divisor = scalars.add(scalars.square_root(next_h), scalars.constant_like(node.floating("epsilon", 1e-6), x))
    move = scalars.multiply(scalars.select(is_later, scaled, plain), scalars.divide(next_v, divisor))
    rest = 1 - node.floating("norm_coefficient_post", 0.0)
    return [_times(rest, scalars.subtract(x, move)), next_v, next_h]


for _name, _rule, _states in (("Momentum", _momentum, 1), ("Adagrad", _adagrad, 1), ("Adam", _adam, 2)):
    onnx_op(_name, domain=_DOMAIN)(_importer(_rule, _states))
