"""An ONNX node during import: typed access to inputs, outputs and attributes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto

from rammer_ir.errors import UnsupportedModelError
from rammer_ir.frontend.element_types import Array, DType
from rammer_ir.frontend.names import quoted
from rammer_ir.frontend.schemas import normal_domain
from rammer_ir.frontend.value import Value


@dataclass(frozen=True)
class OutputType:
    """What shape inference says of an output; an extent is None where it depends on data."""

    dtype: DType
    shape: tuple[int | None, ...] | None

    @property
    def static_shape(self) -> tuple[int, ...] | None:
        """The shape, if it is fully known."""
        if self.shape is None or None in self.shape:
            return None
        return cast("tuple[int, ...]", self.shape)


def node_label(proto: onnx.NodeProto) -> str:
    """The node's name, or one made from its op and first output where it has none."""
    if proto.name:
        return proto.name
    first = next((name for name in proto.output if name), "")
    return f"{proto.op_type}({first})"


def unsupported_op(proto: onnx.NodeProto, opset: int, reason: str = "is not supported") -> UnsupportedModelError:
    """The error that names op, opset and node."""
    domain = normal_domain(proto.domain)
    op = f"{domain}.{proto.op_type}" if domain else proto.op_type
    return UnsupportedModelError(
        f"op {quoted(op)[1:-1]} (opset {opset}) {reason}", location=f"node {quoted(node_label(proto))}"
    )


class NeedsConstantError(UnsupportedModelError):
    """An op is compiled only where an operand is known, and this one is computed: `value` is its name in the model."""

    def __init__(self, message: str, *, location: str | None, value: str) -> None:
        super().__init__(message, location=location)
        self.value = value


class Node:
    """
    An ONNX node with its inputs resolved.

    `inputs` has None for optional inputs that are left out; `output_types` and `used_outputs` go with the outputs.
    """

    def __init__(
        self,
        proto: onnx.NodeProto,
        opset: int,
        inputs: Sequence[Value | None],
        output_types: Sequence[OutputType | None],
        used_outputs: Sequence[bool],
    ) -> None:
        self.proto = proto
        self.op_type = proto.op_type
        self.label = node_label(proto)
        self.opset = opset
        self.inputs = inputs
        self.output_types = output_types
        self.used_outputs = used_outputs
        self._attributes = {attribute.name: attribute for attribute in proto.attribute}

    def error(self, reason: str) -> UnsupportedModelError:
        """An error that names op, node and opset; the reason goes on after them: "needs a constant axis"."""
        return unsupported_op(self.proto, self.opset, reason)

    def optional_input(self, position: int) -> Value | None:
        return self.inputs[position] if position < len(self.inputs) else None

    def input(self, position: int) -> Value:
        """An input that must be there."""
        value = self.optional_input(position)
        if value is None:
            raise self.error(f"lacks input {position}")
        return value

    def optional_constant(self, position: int, what: str) -> Array | None:
        """
        The array of an optional input that must be a constant; `what` names it in the error.

        Raises NeedsConstantError where it is computed.
        """
        value = self.optional_input(position)
        if value is None:
            return None
        if value.constant is None:
            reason = self.error(f"needs constant {what}, but {quoted(value.name)} is computed")
            raise NeedsConstantError(reason.message, location=reason.location, value=value.name)
        return value.constant

    def optional_integers(self, position: int, what: str) -> tuple[int, ...] | None:
        """A constant input as integers; None if it is left out."""
        array = self.optional_constant(position, what)
        return None if array is None else tuple(int(item) for item in np.ravel(array))

    def with_input(self, position: int, value: Value) -> "Node":
        """The node with another value as an input."""
        inputs = [*self.inputs[:position], value, *self.inputs[position + 1 :]]
        return Node(self.proto, self.opset, inputs, self.output_types, self.used_outputs)

    def is_used(self, output: int) -> bool:
        """Whether anything needs the output."""
        return output < len(self.used_outputs) and self.used_outputs[output]

    def refuse_outputs_from(self, first: int) -> None:
        """Raises UnsupportedModelError if an output from the `first` on is needed."""
        for output in range(first, len(self.used_outputs)):
            if self.is_used(output):
                raise self.error(f"gives output {quoted(self.proto.output[output])}, which is not supported")

    def output_shape(self, output: int = 0) -> tuple[int, ...]:
        """The inferred shape of an output; raises UnsupportedModelError where it depends on data."""
        inferred = self.output_types[output]
        shape = None if inferred is None else inferred.static_shape
        if shape is None:
            raise self.error("has an output whose shape depends on data, which is not supported")
        return shape

    def has(self, attribute: str) -> bool:
        return attribute in self._attributes

    def _attribute(self, name: str, kind: AttributeProto.AttributeType.ValueType) -> AttributeProto | None:
        attribute = self._attributes.get(name)
        if attribute is not None and attribute.type != kind:
            raise self.error(f"has attribute {quoted(name)} of the wrong type")
        return attribute

    def integer(self, name: str, default: int) -> int:
        attribute = self._attribute(name, AttributeProto.INT)
        return default if attribute is None else attribute.i

    def floating(self, name: str, default: float) -> float:
        attribute = self._attribute(name, AttributeProto.FLOAT)
        return default if attribute is None else attribute.f

    def string(self, name: str, default: str) -> str:
        attribute = self._attribute(name, AttributeProto.STRING)
        return default if attribute is None else attribute.s.decode("utf-8", "replace")

    def tensor(self, name: str) -> TensorProto | None:
        attribute = self._attribute(name, AttributeProto.TENSOR)
        return None if attribute is None else attribute.t

    def strings(self, name: str) -> tuple[str, ...] | None:
        attribute = self._attribute(name, AttributeProto.STRINGS)
        return None if attribute is None else tuple(text.decode("utf-8", "replace") for text in attribute.strings)

    def floats(self, name: str) -> tuple[float, ...] | None:
        attribute = self._attribute(name, AttributeProto.FLOATS)
        return None if attribute is None else tuple(attribute.floats)

    def integers(self, name: str) -> tuple[int, ...] | None:
        attribute = self._attribute(name, AttributeProto.INTS)
        return None if attribute is None else tuple(attribute.ints)

    def integers_or(self, name: str, default: Sequence[int]) -> tuple[int, ...]:
        """A list attribute with as many items as its default; the default where it is left out."""
        items = self.integers(name)
        if items is None:
            return tuple(default)
        if len(items) != len(default):
            raise self.error(f"has {len(items)} items in {quoted(name)} where {len(default)} are needed")
        return items

    def axis(self, name: str, default: int, rank: int) -> int:
        """An attribute that counts dimensions, from the end where negative, as a non-negative number."""
        return self.normal_axis(self.integer(name, default), rank)

    def normal_axis(self, axis: int, rank: int) -> int:
        """The axis as a non-negative number; raises UnsupportedModelError where there is no such dimension."""
        if not -rank <= axis < rank:
            raise self.error(f"has axis {axis} for {rank} dimensions")
        return axis % rank if rank else 0
