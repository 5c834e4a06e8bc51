"""An ONNX model run by PyTorch as its users would: normalisation folded, cuDNN tuned, captured in a CUDA graph."""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false, reportInvalidTypeForm=false

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Tensor = torch.Tensor
Values = dict[str, Tensor]
Attributes = dict[str, Any]


def fold_normalisation(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every BatchNormalization that alone reads a convolution's result put into its weights."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    arrays = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    readers: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    producers = {node.output[0]: node for node in graph.node}
    for node in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        conv = producers.get(node.input[0])
        if conv is None or conv.op_type != "Conv" or readers[node.input[0]] != 1:
            continue
        scale, shift, mean, variance = (arrays[name].astype(np.float64) for name in node.input[1:5])
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        factor = scale / np.sqrt(variance + epsilon)
        kernel = arrays[conv.input[1]].astype(np.float64) * factor[:, None, None, None]
        bias = arrays[conv.input[2]].astype(np.float64) if len(conv.input) > 2 else 0.0
        names = [f"{conv.output[0]}_kernel", f"{conv.output[0]}_bias"]
        for name, array in zip(names, (kernel, shift + (bias - mean) * factor), strict=True):
            graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), name))
        del conv.input[1:]
        conv.input.extend(names)
        conv.output[0] = node.output[0]
        graph.node.remove(node)
    return model


def _convolution(inputs: list[Tensor | None], attributes: Attributes) -> Tensor:
    x, kernel, *bias = inputs
    assert x is not None
    assert kernel is not None
    dims = kernel.dim() - 2
    pads = attributes.get("pads", [0] * 2 * dims)
    if pads[:dims] != pads[dims:]:
        x = functional.pad(x, [pad for axis in reversed(range(dims)) for pad in (pads[axis], pads[dims + axis])])
        pads = [0] * 2 * dims
    return functional.conv2d(
        x,
        kernel,
        bias[0] if bias else None,
        stride=attributes.get("strides", 1),
        padding=pads[:dims],
        dilation=attributes.get("dilations", 1),
        groups=attributes.get("group", 1),
    )


def _pool(inputs: list[Tensor | None], attributes: Attributes, *, is_maximum: bool) -> Tensor:
    (x,) = inputs
    assert x is not None
    size, pads = attributes["kernel_shape"], attributes.get("pads", [0, 0, 0, 0])
    strides = attributes.get("strides", [1, 1])
    if pads[:2] != pads[2:]:
        fill = float("-inf") if is_maximum else 0.0
        x, pads = functional.pad(x, [pads[1], pads[3], pads[0], pads[2]], value=fill), [0, 0, 0, 0]
    if is_maximum:
        return functional.max_pool2d(x, size, strides, pads[:2])
    return functional.avg_pool2d(
        x, size, strides, pads[:2], count_include_pad=bool(attributes.get("count_include_pad", 0))
    )


def _gemm(inputs: list[Tensor | None], attributes: Attributes) -> Tensor:
    a, b, *c = inputs
    assert a is not None
    assert b is not None
    a = a.T if attributes.get("transA", 0) else a
    b = b.T if attributes.get("transB", 0) else b
    return a @ b if not c else torch.addmm(c[0], a, b)


def _pad(inputs: list[Tensor | None], attributes: Attributes) -> Tensor:
    x = inputs[0]
    assert x is not None
    pads = attributes["pads"]
    return functional.pad(x, [pad for axis in reversed(range(x.dim())) for pad in (pads[axis], pads[x.dim() + axis])])


def _flatten(inputs: list[Tensor | None], attributes: Attributes) -> Tensor:
    x = inputs[0]
    assert x is not None
    axis = attributes.get("axis", 1)
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


OPERATORS: dict[str, Callable[[list[Any], Attributes], Tensor]] = {
    "Add": lambda inputs, _: inputs[0] + inputs[1],
    "AveragePool": lambda inputs, attributes: _pool(inputs, attributes, is_maximum=False),
    "BatchNormalization": lambda inputs, a: functional.batch_norm(
        inputs[0], inputs[3], inputs[4], inputs[1], inputs[2], eps=a.get("epsilon", 1e-5)
    ),
    "Concat": lambda inputs, attributes: torch.cat(inputs, attributes["axis"]),
    "Conv": _convolution,
    "Dropout": lambda inputs, _: inputs[0],
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda inputs, _: inputs[0].mean((2, 3), keepdim=True),
    "LRN": lambda inputs, a: functional.local_response_norm(
        inputs[0], a["size"], a.get("alpha", 1e-4), a.get("beta", 0.75), a.get("bias", 1.0)
    ),
    "MatMul": lambda inputs, _: inputs[0] @ inputs[1],
    "MaxPool": lambda inputs, attributes: _pool(inputs, attributes, is_maximum=True),
    "Mul": lambda inputs, _: inputs[0] * inputs[1],
    "Pad": _pad,
    "Relu": lambda inputs, _: functional.relu(inputs[0]),
    "Reshape": lambda inputs, attributes: inputs[0].reshape(attributes["shape"]),
    "Softmax": lambda inputs, attributes: functional.softmax(inputs[0], attributes.get("axis", 1)),
    "Sum": lambda inputs, _: sum(inputs[1:], start=inputs[0]),
    "Transpose": lambda inputs, attributes: inputs[0].permute(attributes["perm"]),
    "Unsqueeze": lambda inputs, attributes: inputs[0][(..., *(None,) * len(attributes["axes"]))],
}
"""What the models of the comparison consist of."""


class TorchModel:
    """An ONNX model as calls of PyTorch; `channels_last` is the memory format of images."""

    def __init__(self, model: onnx.ModelProto, *, channels_last: bool) -> None:
        self.graph = fold_normalisation(model).graph
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.arrays = {value.name: numpy_helper.to_array(value) for value in self.graph.initializer}
        self.weights = {name: self.tensor(array) for name, array in self.arrays.items() if array.dtype == np.float32}

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """An array on the GPU."""
        value = torch.from_numpy(np.array(array)).cuda()
        return value.contiguous(memory_format=self.format) if value.dim() == 4 else value

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The first output."""
        values: Values = {**self.weights, **inputs}
        for node in self.graph.node:
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Reshape":
                attributes["shape"] = [int(extent) for extent in self.arrays[node.input[1]]]
            if node.op_type == "Pad":
                attributes["pads"] = [int(pad) for pad in self.arrays[node.input[1]]]
            operands = [values.get(name) for name in node.input if name]
            values[node.output[0]] = OPERATORS[node.op_type](operands, attributes)
        return values[self.graph.output[0].name]


class TorchGraph:
    """A model captured in a CUDA graph, on given inputs."""

    def __init__(
        self, model: onnx.ModelProto, inputs: Mapping[str, NDArray[Any]], *, channels_last: bool, tf32: bool = False
    ) -> None:
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.benchmark_limit = 0
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
        self.eager = TorchModel(model, channels_last=channels_last)
        self.inputs = {name: self.eager.tensor(array) for name, array in inputs.items()}
        side = torch.cuda.Stream()
        with torch.no_grad(), torch.cuda.stream(side):
            for _ in range(3):
                self.eager(self.inputs)
            torch.cuda.synchronize()
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph, stream=side):
                self.output = self.eager(self.inputs)

    def result(self) -> NDArray[Any]:
        """The output of a run."""
        self.graph.replay()
        torch.cuda.synchronize()
        return self.output.cpu().numpy()

    def measure(self, runs: int, warmup: int, *, is_cold: bool = False) -> float:
        """The median device time of a replay, in seconds; with `is_cold` behind a write of twice the L2."""
        flush = torch.empty(128 << 20, dtype=torch.uint8, device="cuda")
        times: list[float] = []
        for number in range(-warmup, runs):
            if is_cold:
                flush.fill_(number & 0xFF)
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            self.graph.replay()
            end.record()
            torch.cuda.synchronize()
            if number >= 0:
                times.append(start.elapsed_time(end) * 1e-3)
        return float(np.median(times))
