"""ResNeXt-29 16x64d for images of 32 x 32, as Rammer's evaluation has it (OSDI'20, table 1), with random weights."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

GROUPS = 16
GROUP_CHANNELS = 64
BLOCKS = 3
STAGES = (64, 128, 256)
CLASSES = 10
OPSET = 21
IR_VERSION = 10


class _Graph:
    """The nodes and weights of a model as it grows; methods add layers and give the name of their result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[TensorProto] = []
        self._generator = np.random.default_rng(0)

    def add(self, op_type: str, inputs: list[str], **attributes: Any) -> str:
        name = f"{op_type.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name, **attributes))
        return name

    def weight(self, array: NDArray[np.generic]) -> str:
        name = f"weight{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def convolution(self, x: str, channels: int, filters: int, taps: int, groups: int = 1, stride: int = 1) -> str:
        """A convolution of `channels` a group that keeps the size of images, and its normalisation."""
        shape = (filters, channels, taps, taps)
        values = self._generator.standard_normal(shape) * np.sqrt(2 / (channels * taps * taps))
        kernel = self.weight(values.astype(np.float32))
        y = self.add("Conv", [x, kernel], group=groups, strides=[stride] * 2, pads=[taps // 2] * 4)
        factors = [self._generator.uniform(0.6, 1.35, filters).astype(np.float32) for _ in range(2)]
        shifts = [self._generator.standard_normal(filters).astype(np.float32) * np.float32(0.1) for _ in range(2)]
        return self.add("BatchNormalization", [y, *map(self.weight, (factors[0], *shifts, factors[1]))])

    def block(self, x: str, channels: int, filters: int, stride: int) -> str:
        """Pointwise, grouped 3x3, pointwise; the shortcut is pooled and padded with channels of zeros."""
        width = GROUPS * GROUP_CHANNELS
        y = self.add("Relu", [self.convolution(x, channels, width, 1)])
        y = self.add("Relu", [self.convolution(y, GROUP_CHANNELS, width, 3, GROUPS, stride)])
        y = self.convolution(y, width, filters, 1)
        if stride > 1:
            x = self.add("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
        if filters > channels:
            pads = self.weight(np.array([0, 0, 0, 0, 0, filters - channels, 0, 0], np.int64))
            x = self.add("Pad", [x, pads])
        return self.add("Relu", [self.add("Add", [y, x])])


def resnext_model() -> onnx.ModelProto:
    """Input "x" [1, 3, 32, 32], output "y" [1, 10]."""
    graph = _Graph()
    channels = STAGES[0]
    x = graph.add("Relu", [graph.convolution("x", 3, channels, 3)])
    for stage, filters in enumerate(STAGES):
        for number in range(BLOCKS):
            x = graph.block(x, channels, filters, 2 if stage > 0 and number == 0 else 1)
            channels = filters
    x = graph.add("Flatten", [graph.add("GlobalAveragePool", [x])])
    last = np.random.default_rng(1).standard_normal((channels, CLASSES)).astype(np.float32)
    graph.nodes.append(helper.make_node("MatMul", [x, graph.weight(last / np.float32(channels**0.5))], ["y"], "last"))
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 3, 32, 32]), ("y", [1, CLASSES]))
    ]
    proto = helper.make_graph(graph.nodes, "resnext29", values[:1], values[1:], graph.weights)
    return helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
