"""Types of outputs that shape inference cannot tell: the importer of the op says."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import cast

import onnx
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute

from rammer_ir.frontend.element_types import dtype_of_element, onnx_of_dtype
from rammer_ir.frontend.node import OutputType
from rammer_ir.frontend.onnx_importer import import_prepared
from rammer_ir.frontend.preparation import PreparedModel
from rammer_ir.frontend.value import Value
from rammer_ir.specialisation.graph import Graph


def probe_output_types(
    node: onnx.NodeProto, graph: Graph, inputs: Sequence[Value], given: AbstractSet[str]
) -> list[OutputType | None]:
    """The types of a node's outputs, found by importing it alone; raises as the importer does."""
    unique = {value.name: value for value in inputs}
    constants = {name: value.constant for name, value in unique.items() if value.constant is not None}
    typed = [
        onnx.helper.make_tensor_value_info(name, onnx_of_dtype(value.dtype), value.shape)
        for name, value in unique.items()
        if value.constant is None
    ]
    outputs = [name for name in node.output if name]
    model = PreparedModel(
        [node], typed, outputs, constants, dict(graph.opsets), graph.loader, frozenset(given & constants.keys())
    )
    function = import_prepared(model, "probe").module.body.block.last_op
    assert isinstance(function, FuncOp)
    results = iter(cast("Sequence[TensorType[Attribute]]", function.function_type.outputs.data))
    types = [next(results) if name else None for name in node.output]
    return [
        None if item is None else OutputType(dtype_of_element(item.element_type), item.get_shape()) for item in types
    ]
