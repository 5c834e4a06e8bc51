"""The activation functions that ONNX names for recurrent layers, with their parameters alpha and beta."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from xdsl.ir import SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.node import Node

Activation: TypeAlias = Callable[[SSAValue], SSAValue]


def _times(factor: float, value: SSAValue) -> SSAValue:
    return value if factor == 1 else scalars.multiply(scalars.constant_like(factor, value), value)


def _affine(x: SSAValue, alpha: float, beta: float) -> SSAValue:
    return scalars.add(_times(alpha, x), scalars.constant_like(beta, x))


def _where_negative(x: SSAValue, otherwise: SSAValue) -> SSAValue:
    return scalars.select(scalars.compare("lt", x, scalars.constant_like(0, x)), otherwise, x)


def _hard_sigmoid(x: SSAValue, alpha: float, beta: float) -> SSAValue:
    line = scalars.maximum(_affine(x, alpha, beta), scalars.constant_like(0, x))
    return scalars.minimum(line, scalars.constant_like(1, x))


def _thresholded_relu(x: SSAValue, alpha: float, _beta: float) -> SSAValue:
    is_kept = scalars.compare("ge", x, scalars.constant_like(alpha, x))
    return scalars.select(is_kept, x, scalars.constant_like(0, x))


def _softsign(x: SSAValue, _alpha: float, _beta: float) -> SSAValue:
    return scalars.divide(x, scalars.add(scalars.constant_like(1, x), scalars.absolute(x)))


@dataclass(frozen=True)
class _Kind:
    """
    A function of x, alpha and beta; the defaults of the parameters that it has, None where it has none.

    Where `is_explicit`, ONNX gives no defaults: a node has to.
    """

    function: Callable[[SSAValue, float, float], SSAValue]
    alpha: float | None = None
    beta: float | None = None
    is_explicit: bool = False


_KINDS: Final[dict[str, _Kind]] = {
    "affine": _Kind(_affine, 1.0, 0.0, is_explicit=True),
    "elu": _Kind(lambda x, a, _b: _where_negative(x, _times(a, scalars.exponential_minus_one(x))), 1.0),
    "hardsigmoid": _Kind(_hard_sigmoid, 0.2, 0.5),
    "leakyrelu": _Kind(lambda x, a, _b: _where_negative(x, _times(a, x)), 0.01),
    "relu": _Kind(lambda x, _a, _b: scalars.maximum(x, scalars.constant_like(0, x))),
    "scaledtanh": _Kind(
        lambda x, a, b: _times(a, scalars.hyperbolic_tangent(_times(b, x))), 1.0, 1.0, is_explicit=True
    ),
    "sigmoid": _Kind(lambda x, _a, _b: scalars.sigmoid(x)),
    "softplus": _Kind(lambda x, _a, _b: scalars.softplus(x)),
    "softsign": _Kind(_softsign),
    "tanh": _Kind(lambda x, _a, _b: scalars.hyperbolic_tangent(x)),
    "thresholdedrelu": _Kind(_thresholded_relu, 1.0),
}


def activations_of(
    node: Node, defaults: Sequence[str], directions: int, *, bounded: int | None = None
) -> list[Sequence[Activation]]:
    """
    The functions of each direction, by the attributes of a recurrent node; `clip` bounds the arguments of the first
    `bounded` of them (None: of all).

    `activation_alpha` and `activation_beta` hold values for those of the functions that have the parameter, in order;
    those behind the last value have their defaults. Raises UnsupportedModelError for names that ONNX does not know.
    """
    count = len(defaults)
    names = node.strings("activations") or tuple(defaults) * directions
    if len(names) != count * directions:
        raise node.error(f"has {len(names)} activations where {count * directions} are needed")
    alphas, betas = iter(node.floats("activation_alpha") or ()), iter(node.floats("activation_beta") or ())
    limit = node.floating("clip", 0.0) if node.has("clip") else None
    functions: list[Activation] = []
    for number, name in enumerate(names):
        kind = _KINDS.get(name.lower())
        if kind is None:
            raise node.error(f"has an activation that is not known: {name!r}")
        alpha = _parameter(node, name, kind, alphas, kind.alpha)
        beta = _parameter(node, name, kind, betas, kind.beta)
        is_bounded = bounded is None or number % count < bounded
        functions.append(_activation(kind, alpha, beta, limit if is_bounded else None))
    return [functions[first : first + count] for first in range(0, len(functions), count)]


def _parameter(node: Node, name: str, kind: _Kind, given: Iterator[float], default: float | None) -> float:
    """The next given value for a parameter that the function has, else its default; 0 where it has none."""
    if default is None:
        return 0.0
    value = next(given, None)
    if value is None and kind.is_explicit:
        raise node.error(f"has activation {name} without its activation_alpha and activation_beta")
    return default if value is None else value


def _activation(kind: _Kind, alpha: float, beta: float, limit: float | None) -> Activation:
    def activation(x: SSAValue) -> SSAValue:
        if limit is not None:
            x = scalars.maximum(scalars.minimum(x, scalars.constant_like(limit, x)), scalars.constant_like(-limit, x))
        return kind.function(x, alpha, beta)

    return activation
