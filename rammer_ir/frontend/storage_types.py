"""
From the element types of a model to those of the IR, once the import is done.

Integers are signless in the IR: that a tensor is unsigned shows in the ops on its elements (`arith.maxui`, `arith.cmpi
ult`), which were chosen by the types that values have during import. Numbers of less than a byte, and floats of less
than 16 bits, are bytes (as ml_dtypes has them, one an element): what reads or makes them is arithmetic on bits.

What the caller binds keeps its type by name, as `rop.element_type` of the function's arguments and results.
"""

from collections.abc import Iterator
from functools import cache
from typing import cast

import numpy as np
from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    ModuleOp,
    StringAttr,
    TensorType,
    UnrealizedConversionCastOp,
    i8,
)
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, BlockArgument, Operation, ParametrizedAttribute, SSAValue
from xdsl.rewriter import Rewriter

from rammer_ir.dialects.rop_attributes import ELEMENT_TYPE_ATTRIBUTE
from rammer_ir.frontend.element_types import Array, dtype_of_element, element_type, integer_type, integer_width
from rammer_ir.frontend.narrow_floats import is_narrow


@cache
def storage_type(kind: Attribute) -> Attribute:
    """The type that values of a type, or tensors of it, have in the IR; the type itself where it is one of the IR's."""
    if is_narrow(kind):
        return i8
    if integer_type(kind) is not None:
        width = integer_width(kind)
        return IntegerType(width if width == 1 else max(width, 8))
    if isinstance(kind, TensorType):
        tensor = cast("TensorType[Attribute]", kind)
        element = storage_type(tensor.element_type)
        return tensor if element == tensor.element_type else TensorType(element, tensor.get_shape())
    return kind


def stored_array(array: Array) -> Array:
    """A constant's elements as the IR has them: the same bytes."""
    dtype = dtype_of_element(storage_type(element_type(array.dtype, "a constant")))
    return array if array.dtype == dtype else np.ascontiguousarray(array).view(dtype)


def use_storage_types(module: ModuleOp) -> None:
    """Gives all values and attributes of a module the types of the IR; conversions that do nothing then disappear."""
    if all(storage_type(value.type) == value.type for op in module.walk() for value in _values_of(op)):
        return
    for op in list(module.walk()):
        if isinstance(op, FuncOp):
            _name_element_types(op)
        _convert(op)


def _values_of(op: Operation) -> Iterator[SSAValue]:
    yield from op.results
    for region in op.regions:
        for block in region.blocks:
            yield from block.args


def _name_element_types(function: FuncOp) -> None:
    kinds = function.function_type
    if function.arg_attrs is not None:
        function.arg_attrs = _with_element_types(function.arg_attrs, kinds.inputs.data)
    if function.res_attrs is not None:
        function.res_attrs = _with_element_types(function.res_attrs, kinds.outputs.data)


def _with_element_types(
    attributes: ArrayAttr[DictionaryAttr], kinds: tuple[Attribute, ...]
) -> ArrayAttr[DictionaryAttr]:
    return ArrayAttr(
        [
            DictionaryAttr({**known.data, **_element_type_of(kind)})
            for known, kind in zip(attributes.data, kinds, strict=True)
        ]
    )


def _element_type_of(kind: Attribute) -> dict[str, Attribute]:
    if storage_type(kind) == kind:
        return {}
    element = cast("TensorType[Attribute]", kind).element_type
    return {ELEMENT_TYPE_ATTRIBUTE: StringAttr(dtype_of_element(element).name)}


def _convert(op: Operation) -> None:
    for value in list(_values_of(op)):
        kind = storage_type(value.type)
        if kind != value.type:
            new = Rewriter.replace_value_with_new_type(value, kind)
            if isinstance(value, BlockArgument) and isinstance(new, BlockArgument):
                new.location = value.location
    for attributes in (op.properties, op.attributes):
        for name, attribute in attributes.items():
            attributes[name] = _converted(attribute)
    if isinstance(op, UnrealizedConversionCastOp) and op.inputs[0].type == op.outputs[0].type:
        Rewriter.replace_op(op, [], [op.inputs[0]])


def _converted(attribute: Attribute) -> Attribute:
    """The attribute with types of the IR in it."""
    if isinstance(attribute, IntegerAttr):
        number = cast("IntegerAttr", attribute)
        kind = storage_type(number.type)
        return number if kind == number.type else _signless(number.value.data, cast("IntegerType", kind))
    if isinstance(attribute, FloatAttr):
        return _stored_float(cast("FloatAttr", attribute))
    if isinstance(attribute, IntegerType | TensorType):
        return storage_type(cast("IntegerType | TensorType[Attribute]", attribute))
    if is_narrow(attribute):
        return storage_type(attribute)
    if isinstance(attribute, ArrayAttr):
        items = cast("ArrayAttr[Attribute]", attribute).data
        converted = [_converted(item) for item in items]
        return cast("Attribute", attribute) if converted == list(items) else ArrayAttr(converted)
    if isinstance(attribute, ParametrizedAttribute):
        parameters = [_converted(parameter) for parameter in attribute.parameters]
        return attribute if parameters == list(attribute.parameters) else type(attribute).new(parameters)
    return attribute


def _stored_float(number: FloatAttr) -> Attribute:
    if not is_narrow(number.type):
        return number
    code = np.asarray(number.value.data).astype(dtype_of_element(number.type))
    return IntegerAttr(int(code.view(np.int8)), i8)


def _signless(value: int, kind: IntegerType) -> IntegerAttr[IntegerType]:
    """The same bits: the upper half of the unsigned numbers are the negative ones of a signless type."""
    width = kind.width.data
    return IntegerAttr(value - (1 << width) if width > 1 and value >= 1 << width - 1 else value, kind)
