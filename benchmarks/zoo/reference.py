"""What PyTorch makes of a model of the zoo, and how long that takes on a GPU."""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rammer_ir.zoo.example import Example


def arrays(example: Example) -> dict[str, NDArray[Any]]:
    """The model's inputs as NumPy has them."""
    return {name: value.numpy() for name, value in example.inputs.items()}


def exact_outputs(example: Example) -> dict[str, NDArray[Any]]:
    """The model's outputs with all arithmetic in float64; the model stays in float64."""
    module = example.module.double()
    inputs = [value.double() if value.is_floating_point() else value for value in example.inputs.values()]
    with torch.no_grad():
        found = module(*inputs)
    outputs = found if isinstance(found, tuple) else (found,)
    return {name: value.numpy() for name, value in zip(example.outputs, outputs, strict=True)}


def graph_seconds(example: Example, *, runs: int = 50, warmup: int = 5) -> float:
    """The median device time of the model in a CUDA graph, in float32 without TF32, on a GPU's warm caches."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    module = example.module.cuda()
    inputs = [value.cuda() for value in example.inputs.values()]
    stream = torch.cuda.Stream()
    with torch.no_grad(), torch.cuda.stream(stream):
        for _ in range(3):
            module(*inputs)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            module(*inputs)
    times: list[float] = []
    for number in range(-warmup, runs):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        if number >= 0:
            times.append(start.elapsed_time(end) * 1e-3)
    return float(np.median(times))
