"""Models with random weights for demonstrations, benchmarks and tests."""

import importlib.resources
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 21
IR_VERSION = 10


def light_model(name: str) -> onnx.ModelProto:
    """
    A network from the `onnx` package, such as "squeezenet", with random weights instead of its constant ones.

    Weights that are all the same would hide wrong indexing. They are scaled so that activations neither vanish nor
    grow.
    """
    folder = importlib.resources.files("onnx") / "backend" / "test" / "data" / "light"
    with importlib.resources.as_file(folder / f"light_{name}.onnx") as path:
        model = onnx.ModelProto.FromString(path.read_bytes())
    generator = np.random.default_rng(0)
    constants = {value.name: numpy_helper.to_array(value) for value in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type != "ConstantOfShape"]
    for node in model.graph.node:
        if node.op_type == "ConstantOfShape":
            shape = tuple(int(extent) for extent in constants[node.input[0]])
            model.graph.initializer.append(numpy_helper.from_array(_random(generator, shape), node.output[0]))
    used = {name for node in nodes for name in node.input}
    kept = [value for value in model.graph.initializer if value.name in used]
    known = {value.name for value in kept}
    inputs = [value for value in model.graph.input if value.name in used - known]
    for field, values in (("node", nodes), ("initializer", kept), ("input", inputs)):
        copies = [type(value).FromString(value.SerializeToString()) for value in values]
        model.graph.ClearField(field)
        getattr(model.graph, field).extend(copies)
    model.ir_version = IR_VERSION
    return model


def _random(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Weights of a layer with relu: variance 2 / inputs; small biases."""
    inputs = int(np.prod(shape[1:])) if len(shape) > 1 else 200
    return (generator.standard_normal(shape) * np.sqrt(2.0 / inputs)).astype(np.float32)


def lstm_model(layers: int = 10, steps: int = 100, hidden: int = 256, batch: int = 1) -> onnx.ModelProto:
    """Layers of ONNX `LSTM`, forward, each on the one before; input and output are [steps, batch, hidden]."""
    generator = np.random.default_rng(0)
    scale = 1.0 / np.sqrt(hidden)
    nodes: list[onnx.NodeProto] = []
    weights = [numpy_helper.from_array(np.array([1], np.int64), "directions")]
    value = "x"
    for layer in range(layers):
        shapes = {"w": (1, 4 * hidden, hidden), "r": (1, 4 * hidden, hidden), "b": (1, 8 * hidden)}
        for letter, shape in shapes.items():
            array = generator.uniform(-scale, scale, shape).astype(np.float32)
            weights.append(numpy_helper.from_array(array, f"{letter}{layer}"))
        inputs = [value, f"w{layer}", f"r{layer}", f"b{layer}"]
        nodes.append(helper.make_node("LSTM", inputs, [f"all{layer}"], f"lstm{layer}", hidden_size=hidden))
        value = "y" if layer == layers - 1 else f"h{layer}"
        nodes.append(helper.make_node("Squeeze", [f"all{layer}", "directions"], [value], f"squeeze{layer}"))
    return _model("lstm", nodes, weights, [steps, batch, hidden], [steps, batch, hidden])


def mlp_model(sizes: Sequence[int] = (784, 512, 256, 10), batch: int = 16) -> onnx.ModelProto:
    """Layers of `Gemm` and `Relu`, and a `Softmax`; input [batch, sizes[0]], output [batch, sizes[-1]]."""
    generator = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    weights: list[TensorProto] = []
    value = "x"
    for layer, (size, following) in enumerate(pairwise(sizes)):
        weights.append(numpy_helper.from_array(_random(generator, (following, size)), f"w{layer}"))
        weights.append(numpy_helper.from_array(_random(generator, (following,)), f"b{layer}"))
        nodes.append(
            helper.make_node("Gemm", [value, f"w{layer}", f"b{layer}"], [f"sum{layer}"], f"gemm{layer}", transB=1)
        )
        value = f"sum{layer}"
        if layer < len(sizes) - 2:
            nodes.append(helper.make_node("Relu", [value], [f"relu{layer}"], f"relu{layer}"))
            value = f"relu{layer}"
    nodes.append(helper.make_node("Softmax", [value], ["y"], "softmax", axis=1))
    return _model("mlp", nodes, weights, [batch, sizes[0]], [batch, sizes[-1]])


def _model(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    weights: Sequence[TensorProto],
    input_shape: Sequence[int],
    output_shape: Sequence[int],
) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, list(input_shape))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, list(output_shape))
    graph = helper.make_graph(list(nodes), name, [x], [y], list(weights))
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
