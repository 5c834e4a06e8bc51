"""Weights in the order of those who read them: the model's results stay."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rammer_ir.context import new_context
from rammer_ir.dialects.rop import GetWeightOp
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.interpreters import rop
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes


def separable_convolution(channels: int, kernel: int, group: int) -> onnx.ModelProto:
    """A pointwise convolution, a depthwise one (if there is a group for each channel), and a pointwise one."""
    generator = np.random.default_rng(0)
    shapes = {"a": (channels, 3, 1, 1), "b": (channels, channels // group, kernel, kernel), "c": (5, channels, 1, 1)}
    weights = [
        numpy_helper.from_array(generator.standard_normal(shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["s"]),
        helper.make_node("Conv", ["s", "b"], ["t"], group=group, pads=[kernel // 2] * 4),
        helper.make_node("Conv", ["t", "c"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 6, 5])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 5, 6, 5])
    graph = helper.make_graph(nodes, "separable", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize(("channels", "kernel", "group"), [(8, 3, 8), (6, 5, 6), (8, 3, 2)])
def test_results_stay(channels: int, kernel: int, group: int) -> None:
    imported = import_model(separable_convolution(channels, kernel, group))
    inputs = {0: np.random.default_rng(1).standard_normal((2, 3, 6, 5)).astype(np.float32)}
    before = rop.run_module(imported.module, inputs, imported.weights)
    run_passes(new_context(), imported.module, parse_pass_pipeline("channels-last,order-weights"))
    after = rop.run_module(imported.module, inputs, imported.weights)
    for wanted, found in zip(before, after, strict=True):
        assert np.allclose(wanted, found, atol=1e-4)
    function = next(op for op in imported.module.ops if op.name == "func.func")
    read = [op.result.type.get_shape() for op in function.walk() if isinstance(op, GetWeightOp)]
    assert ((kernel, kernel, channels) in read) == (group == channels)
