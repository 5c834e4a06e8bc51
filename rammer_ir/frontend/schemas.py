"""What the ONNX standard says of an op at an opset."""

from collections.abc import Sequence
from typing import Any, cast

import onnx
import onnx.defs

from rammer_ir.frontend.element_types import onnx_type_name


def find_schema(domain: str, op_type: str, opset: int) -> onnx.defs.OpSchema | None:
    """The op's schema; None if the standard has no such op at the opset."""
    try:
        return onnx.defs.get_schema(op_type, opset, domain)
    except onnx.defs.SchemaError:
        return None


def normal_domain(domain: str) -> str:
    """The domain, the standard's own as the empty text."""
    return "" if domain == "ai.onnx" else domain


def default_attributes(schema: onnx.defs.OpSchema) -> list[onnx.AttributeProto]:
    """The attributes that the op has where a node leaves them out."""
    defaults = [attribute.default_value for attribute in schema.attributes.values()]
    return [default for default in defaults if default.type != onnx.AttributeProto.UNDEFINED]


def has_function_body(schema: onnx.defs.OpSchema) -> bool:
    """Whether the standard defines the op by other ops."""
    # The library's stubs lack these properties.
    untyped = cast("Any", schema)
    return bool(untyped.has_function or untyped.has_context_dependent_function)


def type_mismatch(schema: onnx.defs.OpSchema, element_types: Sequence[int | None]) -> str | None:
    """
    What is wrong with the element types of a node's inputs (None where an input is left out); None if nothing is.

    An input's type must be one that the op takes, and inputs that share a type variable must share the type.
    """
    bound: dict[str, str] = {}
    for position, element in enumerate(element_types):
        if element is None:
            continue
        if position >= len(schema.inputs) and not _is_variadic(schema):
            return f"{len(element_types)} inputs are too many"
        parameter = schema.inputs[min(position, len(schema.inputs) - 1)]
        name = f"tensor({onnx_type_name(element).lower()})"
        if name not in parameter.types:
            return f"input {position} cannot be a {name}"
        if parameter.is_homogeneous and bound.setdefault(parameter.type_str, name) != name:
            return f"input {position} is a {name} where another is a {bound[parameter.type_str]}"
    return None


def _is_variadic(schema: onnx.defs.OpSchema) -> bool:
    option = schema.inputs[-1].option if schema.inputs else None
    return option == onnx.defs.OpSchema.FormalParameterOption.Variadic


def is_deterministic(schema: onnx.defs.OpSchema) -> bool:
    """Whether the op gives the same for the same inputs, as far as the standard says."""
    untyped = cast("Any", schema)
    return untyped.node_determinism != untyped.NodeDeterminism.NonDeterministic
