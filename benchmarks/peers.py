"""
Whole networks on a GPU against PyTorch's CUDA graph in the same run, fp32, batch 1.

    python benchmarks/peers.py [--models resnet50 resnext29 alexnet] [--output docs/results/peers.md] [--commit HASH]

PyTorch runs with normalisation folded, cuDNN's tuning without limit, no TF32, channels first and last: the better one
counts. The floor is the larger of two times: of the operations at the measured peak of fp32 multiply-adds, and of the
weights at the memory's bandwidth.
"""

import argparse
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import onnx
from fp32_peak import fp32_peak
from onnx import numpy_helper
from torch_peer import TorchGraph

import rammer_ir
from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.demo.models import light_model
from rammer_ir.demo.resnext import resnext_model
from rammer_ir.random_inputs import random_inputs
from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.program import CudaProgram

MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "resnet50": partial(light_model, "resnet50"),
    "resnext29": resnext_model,
    "alexnet": partial(light_model, "bvlc_alexnet"),
}
RUNS = 100
BANDWIDTH = 3.0e12
"""Bytes a second that a kernel which only reads gets of an H100's memory (docs/results/matrix-vector.md)."""


def operations(model: onnx.ModelProto) -> float:
    """Two for each multiply-add of convolutions and products."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*inferred.graph.value_info, *inferred.graph.output)
    }
    arrays = {value.name: tuple(value.dims) for value in model.graph.initializer}
    total = 0.0
    for node in model.graph.node:
        kernel = arrays.get(node.input[1]) if len(node.input) > 1 else None
        if kernel is not None and node.op_type == "Conv":
            total += 2.0 * float(np.prod(kernel[1:])) * float(np.prod(shapes[node.output[0]]))
        elif kernel is not None and node.op_type in ("Gemm", "MatMul"):
            total += 2.0 * float(np.prod(kernel))
    return total


def weight_bytes(model: onnx.ModelProto) -> int:
    return sum(numpy_helper.to_array(value).nbytes for value in model.graph.initializer)


def measure(name: str, peak: float) -> list[str]:
    """The rows of a network: ours, and PyTorch's."""
    model = MODELS[name]()
    floor = max(operations(model) / peak, weight_bytes(model) / BANDWIDTH) * 1e6
    with rammer_ir.compile(model, device="cuda", strategy="persistent") as program:
        inputs = random_inputs(program.inputs, seed=0)
        expected = run_onnxruntime(model, inputs)
        comparison = compare(program.run(inputs), expected)
        if not comparison.is_close:
            raise SystemExit(f"{name}: wrong by {comparison.largest_error}")
        loaded = cast("CudaProgram", program.loaded)
        warm, cold = (
            loaded.measure(inputs, runs=RUNS, warmup=20, clock="device", cache=cache).median
            for cache in ("warm", "cold")
        )
        wall = loaded.measure(inputs, runs=RUNS, warmup=20, clock="wall").median
        seconds = sum(program.compile_seconds.values())
    rivals: list[tuple[str, float, float]] = []
    for layout in ("channels first", "channels last"):
        graph = TorchGraph(model, inputs, channels_last=layout == "channels last")
        error = compare({next(iter(expected)): graph.result()}, expected)
        if not error.is_close:
            raise SystemExit(f"{name}, PyTorch {layout}: wrong by {error.largest_error}")
        rivals.append((layout, graph.measure(RUNS, 20), graph.measure(RUNS, 20, is_cold=True)))
    best = min(time for _, time, _ in rivals)
    ours = (
        f"| {name} | Rammer IR, persistent | {floor:.0f} | {warm * 1e6:.0f} | {cold * 1e6:.0f} | {wall * 1e6:.0f} "
        f"| {warm / best:.2f} | {seconds:.1f} | {comparison.largest_error:.1e} |"
    )
    return [
        ours,
        *(
            f"| | PyTorch CUDA graph, {layout} | | {time * 1e6:.0f} | {flushed * 1e6:.0f} | | {time / best:.2f} | | |"
            for layout, time, flushed in rivals
        ),
    ]


def main() -> None:
    """Measures and prints, or writes, the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--output", type=Path, help="a Markdown file; else standard output")
    parser.add_argument("--commit", default="", help="what is measured")
    options = parser.parse_args()
    device = Device()
    peak = fp32_peak(device)
    rows = [
        "| network | | floor, us | device, us, warm | cold | wall, us | of the best rival | compile, s | error |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in options.models:
        rows += measure(name, peak)
        print("\n".join(rows[-3:]), flush=True)
    text = (
        "# Whole networks against PyTorch\n\n"
        f"{device.properties.name}, fp32 without TF32, batch 1, medians of {RUNS}, all in one run; device time between "
        "two events around a launch or a replay, warm or behind a flush of the L2; wall time from arrays to arrays. "
        f"Floor: operations at {peak / 1e12:.1f} TFLOP/s or weights at {BANDWIDTH / 1e12:.1f} TB/s. Errors are "
        f"relative to onnxruntime. {date.today()}, commit {options.commit}. Script: `benchmarks/peers.py`.\n\n"
        + "\n".join(rows)
        + "\n"
    )
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
