"""The static part of a graph, as the importer takes it; and results that follow from types."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import onnx

from rammer_ir.frontend.element_types import Array, onnx_of_dtype
from rammer_ir.frontend.node import OutputType
from rammer_ir.frontend.preparation import PreparedModel, live_nodes
from rammer_ir.frontend.subgraphs import names_read
from rammer_ir.frontend.value import Value
from rammer_ir.specialisation.graph import Graph


def static_part(
    graph: Graph,
    nodes: Sequence[onnx.NodeProto],
    outputs: Sequence[str],
    inputs: AbstractSet[str],
    values: Mapping[str, Value],
    given: AbstractSet[str],
) -> PreparedModel:
    """The model of those of the nodes that `outputs` depend on; `values` has types and constants of what they read."""
    live = live_nodes(nodes, outputs)
    read = dict.fromkeys(name for node in live for name in names_read(node))
    arrays = known_arrays(read, values)
    return PreparedModel(
        nodes=live,
        inputs=[_value_info(values[name]) for name in read if name in inputs and name not in arrays],
        outputs=outputs,
        constants=arrays,
        opsets=dict(graph.opsets),
        loader=graph.loader,
        given=frozenset(given & arrays.keys()),
    )


def known_arrays(names: Mapping[str, None] | AbstractSet[str], values: Mapping[str, Value]) -> dict[str, Array]:
    """The arrays of those of the values that are known."""
    known = {name: values[name].constant for name in names if name in values}
    return {name: array for name, array in known.items() if array is not None}


def _value_info(value: Value) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(value.name, onnx_of_dtype(value.dtype), value.shape)


def shape_or_size(node: onnx.NodeProto, value: Value) -> Array:
    """What Shape or Size gives for a value of this type."""
    if node.op_type == "Size":
        return np.array(int(np.prod(value.shape, dtype=np.int64)), np.int64)
    attributes = {item.name: item.i for item in node.attribute}
    return np.array(value.shape[attributes.get("start", 0) : attributes.get("end")], np.int64)


def have_types(arrays: Sequence[Array | None], types: Sequence[OutputType | None]) -> bool:
    """Whether the arrays have the types that an op should give."""
    return all(
        array is None or output is None or (array.dtype == output.dtype and output.static_shape in (None, array.shape))
        for array, output in zip(arrays, types, strict=False)
    )
