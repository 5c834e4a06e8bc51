"""Matrix-vector products and split sums on a GPU: right, and the same every time."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.pipelines import PRECISIONS
from rammer_ir.random_inputs import random_inputs
from rammer_ir.runtime.cuda.program import CudaProgram
from rammer_ir.runtime.selection import select_target
from rammer_ir.testing.lowered_models import lower_model
from rammer_ir.testing.small_models import convolution_model

pytestmark = pytest.mark.device


def model_of(node: onnx.NodeProto, x: list[int], y: list[int], w: list[int]) -> onnx.ModelProto:
    """One node with random weight and bias, then Relu."""
    generator = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(generator.standard_normal(w, np.float32) / np.float32(np.sqrt(np.prod(w[1:]))), "w"),
        numpy_helper.from_array(generator.standard_normal(y[1], np.float32), "b"),
    ]
    graph = helper.make_graph(
        [node, helper.make_node("Relu", ["product"], ["y"], "relu")],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, y)],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def gemm(m: int, n: int, k: int) -> onnx.ModelProto:
    node = helper.make_node("Gemm", ["x", "w", "b"], ["product"], "gemm", transB=1)
    return model_of(node, [m, k], [m, n], [n, k])


def convolution(side: int, channels: int, filters: int) -> onnx.ModelProto:
    node = helper.make_node("Conv", ["x", "w", "b"], ["product"], "conv", pads=[1, 1, 1, 1])
    shape = [1, filters, side, side]
    return model_of(node, [1, channels, side, side], shape, [filters, channels, 3, 3])


MODELS = {
    "one vector": gemm(1, 1000, 4096),
    "K in no whole chunks": gemm(1, 100, 515),
    "X in panels": gemm(3, 77, 7000),
    "eight vectors": gemm(8, 300, 1100),
    "a split matrix": gemm(2, 12, 32768),
    "a split convolution": convolution(7, 512, 512),
}


@pytest.mark.parametrize("name", MODELS)
def test_products(load: Callable[..., CudaProgram], name: str) -> None:
    model = MODELS[name]
    image, weights = lower_model(model, f"{select_target('cuda').device_pass},persistent").encode()
    program = load(image, weights, poison=True)
    inputs = random_inputs(image.inputs, seed=0)
    first = program.run(inputs)["y"]
    comparison = compare({"y": first}, run_onnxruntime(model, inputs))
    assert comparison.is_close, comparison
    for _ in range(100):
        assert np.array_equal(program.run(inputs)["y"], first)
    program.close()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "model", [convolution_model(channels=32, size=56), gemm(128, 768, 768)], ids=["convolutions", "gemm"]
)
def test_precisions(load: Callable[..., CudaProgram], model: onnx.ModelProto, precision: str) -> None:
    """Each is as exact as it says against float32, and its results are the same in every run."""
    pipeline = f'{select_target("cuda").device_pass},set-precision{{precision="{precision}"}},persistent'
    image, weights = lower_model(model, pipeline).encode()
    assert any("rammer::mma_tf32" in body.source for body in image.bodies) == (precision != "fp32")
    program = load(image, weights, poison=True)
    inputs = random_inputs(image.inputs, seed=1)
    first = program.run(inputs)
    comparison = compare(first, run_onnxruntime(model, inputs), precision)
    assert comparison.is_close, comparison
    assert precision != "tf32" or comparison.largest_error > 1e-5, "tf32 was not used"
    for _ in range(20):
        again = program.run(inputs)
        assert all(np.array_equal(again[name], first[name]) for name in first)
    program.close()
