"""What the ONNX standard says of an op at an opset."""

from typing import Any, cast

import onnx.defs


def find_schema(domain: str, op_type: str, opset: int) -> onnx.defs.OpSchema | None:
    """The op's schema; None if the standard has no such op at the opset."""
    try:
        return onnx.defs.get_schema(op_type, opset, domain)
    except onnx.defs.SchemaError:
        return None


def has_function_body(schema: onnx.defs.OpSchema) -> bool:
    """Whether the standard defines the op by other ops."""
    # The library's stubs lack these properties.
    untyped = cast("Any", schema)
    return bool(untyped.has_function or untyped.has_context_dependent_function)


def is_deterministic(schema: onnx.defs.OpSchema) -> bool:
    """Whether the op gives the same for the same inputs, as far as the standard says."""
    untyped = cast("Any", schema)
    return untyped.node_determinism != untyped.NodeDeterminism.NonDeterministic
