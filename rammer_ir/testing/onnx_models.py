"""Small ONNX models, and what independent implementations make of models."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, cast

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator

from rammer_ir.frontend.onnx_importer import ImportedModel, import_model
from rammer_ir.interpreters.rop import run_module

Arrays = Mapping[str, NDArray[Any]]


def tensor_info(name: str, array: NDArray[Any]) -> onnx.ValueInfoProto:
    """The name, element type and shape of a tensor like the array."""
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def graph_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Arrays,
    outputs: Sequence[str],
    *,
    constants: Arrays | None = None,
    opset: int = 17,
) -> onnx.ModelProto:
    """A model with inputs like the arrays, constants of the arrays, and outputs of the types that inference finds."""
    graph = helper.make_graph(
        nodes,
        "model",
        [tensor_info(name, array) for name, array in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def node_model(
    op_type: str,
    inputs: Arrays,
    *,
    constants: Arrays | None = None,
    order: Sequence[str] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
    **attributes: Any,
) -> onnx.ModelProto:
    """
    A model of one node that takes the inputs, then the constants; or in `order`, where an empty name leaves one out.
    """
    names = [*inputs, *(constants or {})] if order is None else list(order)
    node = helper.make_node(op_type, names, list(outputs), name="tested", **attributes)
    return graph_model([node], inputs, [name for name in outputs if name], constants=constants, opset=opset)


def run_reference(model: onnx.ModelProto, inputs: Arrays) -> list[NDArray[Any]]:
    """The model's outputs by onnxruntime, or by ONNX's own evaluator where onnxruntime lacks a kernel or the opset."""
    state = cast("Any", import_module("onnxruntime.capi.onnxruntime_pybind11_state"))
    try:
        return run_onnxruntime(model, inputs)
    except (state.NotImplemented, state.Fail):
        return run_evaluator(model, inputs)


def run_evaluator(model: onnx.ModelProto, inputs: Arrays) -> list[NDArray[Any]]:
    """The model's outputs by ONNX's own evaluator."""
    return cast("Any", ReferenceEvaluator(model)).run(None, dict(inputs))


def run_onnxruntime(model: onnx.ModelProto, inputs: Arrays) -> list[NDArray[Any]]:
    """The model's outputs by onnxruntime on the CPU."""
    onnxruntime = cast("Any", import_module("onnxruntime"))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(inputs))


def run_imported(imported: ImportedModel, inputs: Arrays) -> list[NDArray[Any]]:
    """The outputs of an imported model by the reference interpreter, after its module is verified."""
    imported.module.verify()
    return run_module(imported.module, {name: np.asarray(array) for name, array in inputs.items()}, imported.weights)


def check_import(model: onnx.ModelProto, inputs: Arrays, *, rtol: float = 1e-5, atol: float = 1e-6) -> ImportedModel:
    """
    Imports the model, runs it by the reference interpreter, and compares each output with `run_reference`'s.

    Raises AssertionError where dtype, shape or values differ by more than the tolerances.
    """
    imported = import_model(model)
    results = run_imported(imported, inputs)
    expected = run_reference(model, inputs)
    assert len(results) == len(expected)
    for result, reference, output in zip(results, expected, model.graph.output, strict=True):
        assert result.dtype == reference.dtype, f"{output.name}: {result.dtype} instead of {reference.dtype}"
        assert result.shape == reference.shape, f"{output.name}: {result.shape} instead of {reference.shape}"
        np.testing.assert_allclose(
            result.astype(np.float64), reference.astype(np.float64), rtol=rtol, atol=atol, err_msg=output.name
        )
    return imported
