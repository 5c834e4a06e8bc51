"""What shapes and attributes are computed by, in NumPy: for the few numbers of a run that a program is made for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

import numpy as np
import onnx
from numpy.typing import NDArray

from rammer_ir.frontend.element_types import Array
from rammer_ir.frontend.schemas import normal_domain

MOST_ELEMENTS: Final = 1 << 16
"""No result may have more: what is larger is the work of a program."""


@dataclass(frozen=True)
class _Call:
    """A node's attributes as Python values, how many outputs it has, and its inputs, None for those left out."""

    attributes: Mapping[str, Any]
    outputs: int
    arrays: Sequence[Array | None]

    def array(self, position: int) -> NDArray[Any]:
        array = self.arrays[position]
        if array is None:
            raise ValueError(f"input {position} is left out")
        return array

    def integers(self, position: int, attribute: str) -> tuple[int, ...] | None:
        """A list that is an input in newer opsets and an attribute in older ones; None if it is left out."""
        if len(self.arrays) > position:
            array = self.arrays[position]
            return None if array is None else tuple(int(item) for item in np.ravel(array))
        given = self.attributes.get(attribute)
        return None if given is None else tuple(given)


_Function: TypeAlias = Callable[[_Call], Any]
_FUNCTIONS: Final[dict[str, _Function]] = {}


def is_arithmetic(node: onnx.NodeProto) -> bool:
    """Whether `evaluate` knows the node's op."""
    return not normal_domain(node.domain) and node.op_type in _FUNCTIONS


def evaluate(node: onnx.NodeProto, arrays: Sequence[Array | None]) -> list[Array] | None:
    """The outputs of a node on these arrays; None if they are too large or do not fit, so that a program does it."""
    if not is_arithmetic(node):
        return None
    attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    try:
        with np.errstate(all="ignore"):
            result = _FUNCTIONS[node.op_type](_Call(attributes, len(node.output), arrays))
    except (ValueError, IndexError, TypeError, OverflowError, KeyError):
        return None
    items = cast("list[Any]", result) if isinstance(result, list) else [result]
    results: list[Array] = [np.asarray(item) for item in items]
    return results if sum(item.size for item in results) <= MOST_ELEMENTS else None


def _register(*names: str) -> Callable[[_Function], _Function]:
    def register(function: _Function) -> _Function:
        for name in names:
            _FUNCTIONS[name] = function
        return function

    return register


def _elementwise(function: Callable[..., Any]) -> _Function:
    return lambda call: function(*(call.array(position) for position in range(len(call.arrays))))


def _folded(function: Callable[[Any, Any], Any]) -> _Function:
    def fold(call: _Call) -> Any:
        result = call.array(0)
        for position in range(1, len(call.arrays)):
            result = function(result, call.array(position))
        return result

    return fold


def _divide(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Integers are divided towards zero."""
    if left.dtype.kind not in "iu":
        return left / right
    if not np.all(right):
        raise ValueError("division by zero")
    signs = np.sign(left) * np.sign(right)
    return (signs * (np.abs(left) // np.abs(right))).astype(left.dtype)


_FUNCTIONS.update(
    {
        "Add": _elementwise(np.add),
        "Sub": _elementwise(np.subtract),
        "Mul": _elementwise(np.multiply),
        "Div": _elementwise(_divide),
        "Neg": _elementwise(np.negative),
        "Abs": _elementwise(np.abs),
        "Floor": _elementwise(np.floor),
        "Ceil": _elementwise(np.ceil),
        "Sqrt": _elementwise(np.sqrt),
        "Not": _elementwise(np.logical_not),
        "And": _elementwise(np.logical_and),
        "Or": _elementwise(np.logical_or),
        "Equal": _elementwise(np.equal),
        "Less": _elementwise(np.less),
        "LessOrEqual": _elementwise(np.less_equal),
        "Greater": _elementwise(np.greater),
        "GreaterOrEqual": _elementwise(np.greater_equal),
        "Where": _elementwise(np.where),
        "Max": _folded(np.maximum),
        "Min": _folded(np.minimum),
    }
)


@_register("Identity")
def _identity(call: _Call) -> Any:
    return call.array(0)


@_register("Mod")
def _mod(call: _Call) -> Any:
    function = np.fmod if call.attributes.get("fmod", 0) else np.mod
    return function(call.array(0), call.array(1))


@_register("Cast")
def _cast(call: _Call) -> Any:
    return call.array(0).astype(onnx.helper.tensor_dtype_to_np_dtype(call.attributes["to"]))


@_register("CastLike")
def _cast_like(call: _Call) -> Any:
    return call.array(0).astype(call.array(1).dtype)


@_register("Concat")
def _concat(call: _Call) -> Any:
    return np.concatenate([call.array(n) for n in range(len(call.arrays))], axis=call.attributes["axis"])


@_register("Gather")
def _gather(call: _Call) -> Any:
    return np.take(call.array(0), call.array(1), axis=call.attributes.get("axis", 0))


@_register("Unsqueeze")
def _unsqueeze(call: _Call) -> Any:
    return np.expand_dims(call.array(0), call.integers(1, "axes") or ())


@_register("Squeeze")
def _squeeze(call: _Call) -> Any:
    return np.squeeze(call.array(0), call.integers(1, "axes"))


@_register("Reshape")
def _reshape(call: _Call) -> Any:
    operand, wanted = call.array(0), [int(item) for item in call.array(1)]
    if not call.attributes.get("allowzero", 0):
        wanted = [operand.shape[dim] if extent == 0 else extent for dim, extent in enumerate(wanted)]
    return operand.reshape(wanted)


@_register("Slice")
def _slice(call: _Call) -> Any:
    operand = call.array(0)
    starts, ends = call.integers(1, "starts") or (), call.integers(2, "ends") or ()
    axes = call.integers(3, "axes") or tuple(range(len(starts)))
    steps = call.integers(4, "steps") or (1,) * len(starts)
    index = [slice(None)] * operand.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[axis] = slice(start, None if step < 0 and end < -operand.shape[axis] else end, step)
    return operand[tuple(index)]


@_register("Expand")
def _expand(call: _Call) -> Any:
    wanted = np.broadcast_shapes(call.array(0).shape, tuple(int(item) for item in call.array(1)))
    if np.prod(wanted, dtype=np.float64) > MOST_ELEMENTS:
        raise ValueError("too large")
    return np.broadcast_to(call.array(0), wanted).copy()


@_register("ConstantOfShape")
def _constant_of_shape(call: _Call) -> Any:
    shape = tuple(int(item) for item in call.array(0))
    if np.prod(shape, dtype=np.float64) > MOST_ELEMENTS:
        raise ValueError("too large")
    tensor = call.attributes.get("value")
    number = np.zeros(1, np.float32) if tensor is None else onnx.numpy_helper.to_array(tensor)
    return np.full(shape, number.reshape(-1)[0], number.dtype)


@_register("Range")
def _range(call: _Call) -> Any:
    start, limit, delta = (call.array(position).reshape(()) for position in range(3))
    count = max(int(np.ceil((limit - start) / delta)), 0)
    if count > MOST_ELEMENTS:
        raise ValueError("too large")
    return (start + np.arange(count, dtype=start.dtype) * delta).astype(start.dtype)


@_register("Split")
def _split(call: _Call) -> Any:
    operand, axis = call.array(0), call.attributes.get("axis", 0)
    lengths = call.integers(1, "split")
    if lengths is None:
        longest = -(-operand.shape[axis] // call.outputs)
        return list(np.split(operand, np.arange(1, call.outputs) * longest, axis=axis))
    return list(np.split(operand, np.cumsum(lengths)[:-1], axis=axis))


def _reduction(function: Callable[..., Any]) -> _Function:
    def reduce(call: _Call) -> Any:
        axes = call.integers(1, "axes")
        if not axes and call.attributes.get("noop_with_empty_axes", 0):
            return call.array(0)
        keep = bool(call.attributes.get("keepdims", 1))
        return function(call.array(0), axis=tuple(axes) if axes else None, keepdims=keep).astype(call.array(0).dtype)

    return reduce


_FUNCTIONS.update(
    {
        "ReduceSum": _reduction(np.sum),
        "ReduceProd": _reduction(np.prod),
        "ReduceMax": _reduction(np.max),
        "ReduceMin": _reduction(np.min),
    }
)
