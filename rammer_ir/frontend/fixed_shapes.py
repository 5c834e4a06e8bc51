"""Shapes of inputs that a user fixes before a model is imported."""

from collections.abc import Mapping, Sequence

import onnx

from rammer_ir.errors import InvalidInputError
from rammer_ir.frontend.names import quoted


def with_fixed_shapes(
    inputs: Sequence[onnx.ValueInfoProto], shapes: Mapping[str, Sequence[int]]
) -> list[onnx.ValueInfoProto]:
    """
    The inputs with these shapes, by name; a named dimension that gets an extent gets it everywhere.

    Raises InvalidInputError for names that no input has, and for shapes that contradict the model or each other.
    """
    known = {value.name for value in inputs}
    for name in shapes:
        if name not in known:
            raise InvalidInputError(f"there is no input {quoted(name)} to fix the shape of")
    extents: dict[str, int] = {}
    fixed = [_with_shape(value, shapes[value.name], extents) if value.name in shapes else value for value in inputs]
    return [_with_extents(value, extents) for value in fixed] if extents else fixed


def _with_shape(value: onnx.ValueInfoProto, shape: Sequence[int], extents: dict[str, int]) -> onnx.ValueInfoProto:
    what = f"shape {list(shape)} of input {quoted(value.name)}"
    if not value.type.HasField("tensor_type") or any(extent < 0 for extent in shape):
        raise InvalidInputError(f"{what}: only tensors have one, and extents are not negative")
    tensor = value.type.tensor_type
    if tensor.HasField("shape"):
        if len(tensor.shape.dim) != len(shape):
            raise InvalidInputError(f"{what}: the model declares {len(tensor.shape.dim)} dimensions")
        for dim, extent in zip(tensor.shape.dim, shape, strict=True):
            wanted = extents.setdefault(dim.dim_param, extent) if dim.dim_param else extent
            if extent != (dim.dim_value if dim.HasField("dim_value") else wanted):
                raise InvalidInputError(f"{what} contradicts the model, or another shape, at extent {extent}")
    return onnx.helper.make_tensor_value_info(value.name, tensor.elem_type, list(shape))


def _with_extents(value: onnx.ValueInfoProto, extents: Mapping[str, int]) -> onnx.ValueInfoProto:
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(value)
    for dim in copy.type.tensor_type.shape.dim:
        if dim.dim_param in extents:
            dim.dim_value = extents[dim.dim_param]
    return copy
