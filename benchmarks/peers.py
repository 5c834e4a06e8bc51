"""
Whole networks on a GPU against PyTorch's CUDA graph in the same run, of each precision, batch 1.

    python benchmarks/peers.py [--models resnet50 resnext29 alexnet] [--output docs/results/peers.md] [--commit HASH]

PyTorch runs with normalisation folded, cuDNN's tuning without limit, channels first and last: the better one counts, of
the same precision (for 3xtf32, fp32). The floor is the larger of two times: of the operations at the measured peak of
fp32 multiply-adds, and of the weights at the memory's bandwidth.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import onnx
from fp32_peak import fp32_peak
from numpy.typing import NDArray
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
Arrays = Mapping[str, "NDArray[np.generic]"]
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


@dataclass(frozen=True)
class Row:
    """What was measured of one contender: seconds of device time, warm and cold, and the error."""

    name: str
    warm: float
    cold: float
    error: float
    wall: float | None = None
    compile_seconds: float | None = None


def measure_ours(model: onnx.ModelProto, precision: str, inputs: Arrays, expected: Arrays) -> Row:
    """A precision of ours; ends the benchmark if its results are wrong."""
    with rammer_ir.compile(model, device="cuda", strategy="persistent", precision=precision) as program:
        comparison = compare(program.run(inputs), expected, precision)
        if not comparison.is_close:
            raise SystemExit(f"{precision}: wrong by {comparison.largest_error}")
        loaded = cast("CudaProgram", program.loaded)
        warm, cold = (
            loaded.measure(inputs, runs=RUNS, warmup=20, clock="device", cache=cache).median
            for cache in ("warm", "cold")
        )
        wall = loaded.measure(inputs, runs=RUNS, warmup=20, clock="wall").median
        seconds = sum(program.compile_seconds.values())
    return Row(f"Rammer IR, {precision}", warm, cold, comparison.largest_error, wall, seconds)


def measure_torch(model: onnx.ModelProto, layout: str, precision: str, inputs: Arrays, expected: Arrays) -> Row:
    """PyTorch's CUDA graph; ends the benchmark if its results are wrong."""
    graph = TorchGraph(model, inputs, channels_last=layout == "channels last", tf32=precision == "tf32")
    comparison = compare({next(iter(expected)): graph.result()}, expected, precision)
    if not comparison.is_close:
        raise SystemExit(f"PyTorch {layout}: wrong by {comparison.largest_error}")
    times = graph.measure(RUNS, 20), graph.measure(RUNS, 20, is_cold=True)
    return Row(f"PyTorch CUDA graph, {precision}, {layout}", *times, comparison.largest_error)


def measure(name: str, peak: float) -> list[str]:
    """The rows of a network: ours and PyTorch's, of each precision."""
    model = MODELS[name]()
    floor = max(operations(model) / peak, weight_bytes(model) / BANDWIDTH) * 1e6
    with rammer_ir.compile(model, device="cpu", strategy="base") as program:
        inputs = random_inputs(program.inputs, seed=0)
    expected = run_onnxruntime(model, inputs)
    lines: list[str] = []
    for ours, precision in ((("fp32", "3xtf32"), "fp32"), (("tf32",), "tf32")):
        rivals = [
            measure_torch(model, layout, precision, inputs, expected) for layout in ("channels first", "channels last")
        ]
        best = min(rival.warm for rival in rivals)
        rows = [*(measure_ours(model, each, inputs, expected) for each in ours), *rivals]
        lines += [line(row, f"{floor:.0f}" if row.name == "Rammer IR, fp32" else "", best) for row in rows]
    return [f"| {name} {lines[0]}", *(f"| {text}" for text in lines[1:])]


def line(row: Row, floor: str, best: float) -> str:
    """A row of the table without its first column."""
    wall = "" if row.wall is None else f"{row.wall * 1e6:.0f}"
    seconds = "" if row.compile_seconds is None else f"{row.compile_seconds:.1f}"
    return (
        f"| {row.name} | {floor} | {row.warm * 1e6:.0f} | {row.cold * 1e6:.0f} | {wall} | {row.warm / best:.2f} "
        f"| {seconds} | {row.error:.1e} |"
    )


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
        print("\n".join(rows[-7:]), flush=True)
    text = (
        "# Whole networks against PyTorch\n\n"
        f"{device.properties.name}, strategy persistent, batch 1, medians of {RUNS}, all in one run; device time "
        "between two events around a launch or a replay, warm or behind a flush of the L2; wall time from arrays to "
        f"arrays. Floor: operations at {peak / 1e12:.1f} TFLOP/s or weights at {BANDWIDTH / 1e12:.1f} TB/s. Errors are "
        f"relative to onnxruntime. {date.today()}, commit {options.commit}. Script: `benchmarks/peers.py`.\n\n"
        + "\n".join(rows)
        + "\n"
    )
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
