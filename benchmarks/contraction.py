"""
The contraction body alone on a GPU, all vEUs busy and the L2 warm, against the measured peak of fp32 multiply-adds.

    python benchmarks/contraction.py [--output docs/results/contraction.md]

A convolution of a batch of images is compiled as usual, one candidate tiling at a time; the batch is as large as it
takes to give no vEU more than eight rTasks. Times are device time between two events, medians, with what one launch
costs in them.
"""

import argparse
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.context import new_context
from rammer_ir.dialects.rtask import AlternativesOp, KernelOp
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.random_inputs import random_inputs
from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.program import CudaProgram
from rammer_ir.weights.recipes import evaluate_recipes

TASKS_A_VEU = 8


@dataclass(frozen=True)
class Problem:
    """A 3x3 convolution, padding 1, as a matrix product of M x N x K an image."""

    side: int
    channels: int
    filters: int

    @property
    def size(self) -> tuple[int, int, int]:
        return self.side * self.side, self.filters, self.channels * 9

    def model(self, batch: int) -> onnx.ModelProto:
        """Conv and Relu on a batch of images."""
        generator = np.random.default_rng(0)
        scale = 1.0 / np.sqrt(self.size[2])
        kernel = (generator.standard_normal((self.filters, self.channels, 3, 3)) * scale).astype(np.float32)
        bias = generator.standard_normal(self.filters).astype(np.float32)
        weights = [numpy_helper.from_array(kernel, "w"), numpy_helper.from_array(bias, "b")]
        nodes = [
            helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv", pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["y"], "relu"),
        ]
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, self.channels, self.side, self.side])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, self.filters, self.side, self.side])
        graph = helper.make_graph(nodes, "convolution", [x], [y], weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


PROBLEMS = (Problem(28, 128, 128), Problem(14, 256, 256))


def load(model: onnx.ModelProto, device: Device, candidate: int) -> tuple[CudaProgram, str, int]:
    """The program with one candidate tiling, the tiling as text, the number of tasks; IndexError for no such one."""
    imported = import_model(model)
    description = "h200" if "H200" in device.properties.name else "h100"
    front = f"set-device{{device={description}}},optimize-rop,tile,convert-rop-to-rtask"
    run_passes(new_context(), imported.module, parse_pass_pipeline(front))
    (alternatives,) = [op for op in imported.module.walk() if isinstance(op, AlternativesOp)]
    if candidate >= len(alternatives.candidates):
        raise IndexError(f"there is no candidate {candidate}")
    for number in reversed(range(len(alternatives.candidates))):
        if number != candidate:
            alternatives.detach_region(alternatives.candidates[number])
    back = (
        "annotate-costs,select-kernels,convert-contraction-to-block,convert-generic-to-block,schedule-wavefront,"
        "convert-rtask-to-vdevice,insert-barriers,plan-memory,verify-program"
    )
    run_passes(new_context(), imported.module, parse_pass_pipeline(back))
    (kernel,) = [op for op in imported.module.walk() if isinstance(op, KernelOp)]
    image = encode(imported.module)
    evaluate_recipes(imported.module, imported.weights)
    weights = imported.weights.arrange(image.weights, image.weight_bytes)
    return CudaProgram(image, weights, device=device), str(kernel.attributes["tiling"]), kernel.tasks


def measure(problem: Problem, candidate: int, device: Device) -> str | None:
    """One row of the table, or None if the problem has no such candidate."""
    try:
        program, _, tasks = load(problem.model(1), device, candidate)
    except IndexError:
        return None
    program.close()
    veus = device.properties.multiprocessors
    batch = max(1, TASKS_A_VEU * veus // tasks)
    model = problem.model(batch)
    program, tiling, tasks = load(model, device, candidate)
    inputs = random_inputs(program.image.inputs, seed=0)
    comparison = compare(program.run(inputs), run_onnxruntime(model, inputs))
    if not comparison.is_close:
        raise SystemExit(f"{tiling}: wrong by {comparison.largest_error}")
    timing = program.measure(inputs, runs=30, warmup=5, clock="device")
    program.close()
    m, n, k = problem.size
    rate = 2.0 * m * n * k * batch / timing.median / 1e12
    rounds = tasks / veus
    return (
        f"| {m}, {n}, {k} | {tiling} | {batch} | {tasks} | {rounds:.2f} | {timing.median * 1e6:.1f} | {rate:.1f} "
        f"| {rate / PEAK:.0%} | {comparison.largest_error:.1e} |"
    )


PEAK = 67.0
"""Tera operations a second of fp32 multiply-adds on an H100 at 1980 MHz: 132 multiprocessors x 128 lanes x 2."""


def main() -> None:
    """Measures and prints, or writes, the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="a Markdown file; else standard output")
    parser.add_argument("--commit", default="", help="what is measured")
    options = parser.parse_args()
    device = Device()
    rows = [
        "| M, N, K an image | tiling | images | rTasks | rTasks a vEU | us | TFLOP/s | of peak | error |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for problem in PROBLEMS:
        for candidate in range(8):
            row = measure(problem, candidate, device)
            if row is None:
                break
            rows.append(row)
            print(row, flush=True)
    text = (
        "# The contraction body alone, all vEUs busy\n\n"
        f"{device.properties.name}, fp32, warm L2, device time, medians of 30, peak {PEAK} TFLOP/s; {date.today()}, "
        f"commit {options.commit}. Script: `benchmarks/contraction.py`.\n\n" + "\n".join(rows) + "\n"
    )
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
