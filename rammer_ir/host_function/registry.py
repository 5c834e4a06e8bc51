"""Which function runs which ONNX op on the host."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, TypeAlias, cast

import onnx

from rammer_ir.errors import InvalidInputError, UnsupportedModelError
from rammer_ir.frontend.names import first_line, quoted
from rammer_ir.frontend.node import node_label
from rammer_ir.frontend.schemas import normal_domain
from rammer_ir.host_function.values import HostValue


@dataclass(frozen=True)
class HostNode:
    """A node that runs on the host: its label in the model, its attributes by name, and how many outputs it has."""

    label: str
    attributes: Mapping[str, Any]
    outputs: int

    @staticmethod
    def of(proto: onnx.NodeProto) -> "HostNode":
        """The node with its attributes as Python values; texts are decoded."""
        values = {item.name: _decoded(onnx.helper.get_attribute_value(item)) for item in proto.attribute}
        return HostNode(node_label(proto), values, len(proto.output))

    def error(self, reason: str) -> InvalidInputError:
        """An error that names the node."""
        return InvalidInputError(reason, location=f"node {quoted(self.label)}")


HostFunction: TypeAlias = Callable[[HostNode, Sequence[HostValue]], Sequence[HostValue]]

_FUNCTIONS: Final[dict[tuple[str, str], HostFunction]] = {}
_ALWAYS: Final[set[tuple[str, str]]] = set()


def host_op(op_type: str, *, domain: str = "", always: bool = False) -> Callable[[HostFunction], HostFunction]:
    """
    Registers a function as what the host does for an op: it takes the inputs, None for those left out.

    With `always` every node of the op runs there; else those that have to do with strings, sequences or optionals.
    """

    def register(function: HostFunction) -> HostFunction:
        _FUNCTIONS[domain, op_type] = function
        if always:
            _ALWAYS.add((domain, op_type))
        return function

    return register


def find_host_function(proto: onnx.NodeProto) -> HostFunction | None:
    """The function that runs the node's op; None if there is none."""
    import_module("rammer_ir.host_function.ops")
    return _FUNCTIONS.get((normal_domain(proto.domain), proto.op_type))


def is_host_op(proto: onnx.NodeProto) -> bool:
    """Whether the node runs on the host whatever its inputs are: its op is of that kind, or it makes strings."""
    find_host_function(proto)
    return (normal_domain(proto.domain), proto.op_type) in _ALWAYS or _makes_text(proto)


def _makes_text(proto: onnx.NodeProto) -> bool:
    text = onnx.TensorProto.STRING
    match proto.op_type:
        case "Cast":
            return any(item.name == "to" and item.i == text for item in proto.attribute)
        case "Constant":
            return any(
                item.name in ("value_string", "value_strings") or (item.name == "value" and item.t.data_type == text)
                for item in proto.attribute
            )
        case "LabelEncoder":
            return any(
                item.name in ("values_strings", "keys_strings")
                or (item.name in ("values_tensor", "keys_tensor") and item.t.data_type == text)
                for item in proto.attribute
            )
        case _:
            return False


def run_on_host(proto: onnx.NodeProto, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """
    The outputs of a node, computed on the host.

    Raises UnsupportedModelError if the host has no function for its op, InvalidInputError where the inputs do not fit.
    """
    function = find_host_function(proto)
    node = HostNode.of(proto)
    if function is None:
        raise UnsupportedModelError(
            f"op {quoted(proto.op_type)[1:-1]} is not supported for strings, sequences or optionals",
            location=f"node {quoted(node.label)}",
        )
    try:
        return function(node, inputs)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
        raise node.error(f"op {quoted(proto.op_type)[1:-1]} does not take these inputs: {first_line(error)}") from error


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return [_decoded(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value
