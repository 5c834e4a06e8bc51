"""Models with random weights for demonstrations, benchmarks and tests."""

import importlib.resources
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 21
IR_VERSION = 10


LIGHT_MODELS = (
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
)
"""The networks that `light_model` knows."""


def light_model(name: str) -> onnx.ModelProto:
    """
    A network from the `onnx` package, such as "squeezenet", with random weights instead of its own.

    Its own are mostly constant: weights that are all the same would hide wrong indexing. They are scaled so that
    activations neither vanish nor grow, and that the result is a distribution over many classes.
    """
    folder = importlib.resources.files("onnx") / "backend" / "test" / "data" / "light"
    with importlib.resources.as_file(folder / f"light_{name}.onnx") as path:
        model = onnx.ModelProto.FromString(path.read_bytes())
    generator = np.random.default_rng(0)
    constants = {value.name: numpy_helper.to_array(value) for value in model.graph.initializer}
    roles = _roles(model.graph)
    nodes = [node for node in model.graph.node if node.op_type != "ConstantOfShape"]
    for node in model.graph.node:
        if node.op_type == "ConstantOfShape":
            shape = tuple(int(extent) for extent in constants[node.input[0]])
            array = _random(generator, shape, roles.get(node.output[0], "weight"))
            model.graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
    for value in model.graph.initializer:
        if value.data_type == TensorProto.FLOAT and value.name in constants:
            array = _random(generator, tuple(value.dims), roles.get(value.name, "weight"))
            value.CopyFrom(numpy_helper.from_array(array, value.name))
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


_Role = Literal["weight", "last weight", "factor", "small factor"]
"""
What a parameter is for. A factor is about 1; in a residual branch it is less, as every branch adds to the sum. The last
weight is that of the classes' scores, which must not be so far apart that one class takes all.
"""


def _roles(graph: onnx.GraphProto) -> dict[str, _Role]:
    """Of the parameters that are no plain weights: scales and variances of batch normalisation, and more."""
    source = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Unsqueeze"}
    summed = {name for node in graph.node if node.op_type == "Sum" for name in node.input}
    last = next(node for node in reversed(graph.node) if node.op_type in ("Conv", "Gemm"))
    roles: dict[str, _Role] = {last.input[1]: "last weight"}
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            roles[node.input[1]] = "small factor" if node.output[0] in summed else "factor"
            roles[node.input[4]] = "factor"
        elif node.op_type == "Mul":
            roles |= {source[name]: "factor" for name in node.input if name in source}
    return roles


def _random(generator: np.random.Generator, shape: tuple[int, ...], role: _Role = "weight") -> NDArray[np.float32]:
    """Factors whose squares are 1 on average, or less; weights with variance 2 / inputs, for relu; small biases."""
    if role in ("factor", "small factor"):
        return (generator.uniform(0.6, 1.35, shape) * (1.0 if role == "factor" else 0.3)).astype(np.float32)
    inputs = int(np.prod(shape[1:])) if len(shape) > 1 else 200
    scale = np.sqrt(2.0 / inputs) * (0.15 if role == "last weight" else 1.0)
    return (generator.standard_normal(shape) * scale).astype(np.float32)


def lstm_model(layers: int = 10, steps: int = 100, hidden: int = 256, batch: int = 1) -> onnx.ModelProto:
    """Layers of ONNX `LSTM`, forward, each on the one before; input and output are [steps, batch, hidden]."""
    return _recurrent_model("LSTM", 4, layers, steps, hidden, batch)


def gru_model(layers: int = 4, steps: int = 50, hidden: int = 128, batch: int = 1) -> onnx.ModelProto:
    """Layers of ONNX `GRU`, forward, each on the one before; input and output are [steps, batch, hidden]."""
    return _recurrent_model("GRU", 3, layers, steps, hidden, batch)


def _recurrent_model(op_type: str, gates: int, layers: int, steps: int, hidden: int, batch: int) -> onnx.ModelProto:
    generator = np.random.default_rng(0)
    scale = 1.0 / np.sqrt(hidden)
    name = op_type.lower()
    nodes: list[onnx.NodeProto] = []
    weights = [numpy_helper.from_array(np.array([1], np.int64), "directions")]
    value = "x"
    for layer in range(layers):
        rows = gates * hidden
        shapes = {"w": (1, rows, hidden), "r": (1, rows, hidden), "b": (1, 2 * rows)}
        for letter, shape in shapes.items():
            array = generator.uniform(-scale, scale, shape).astype(np.float32)
            weights.append(numpy_helper.from_array(array, f"{letter}{layer}"))
        inputs = [value, f"w{layer}", f"r{layer}", f"b{layer}"]
        nodes.append(helper.make_node(op_type, inputs, [f"all{layer}"], f"{name}{layer}", hidden_size=hidden))
        value = "y" if layer == layers - 1 else f"h{layer}"
        nodes.append(helper.make_node("Squeeze", [f"all{layer}", "directions"], [value], f"squeeze{layer}"))
    return _model(name, nodes, weights, [steps, batch, hidden], [steps, batch, hidden])


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
