"""
Products with few tiles and long sums on a GPU, whole and split into partial sums.

    python benchmarks/split_reductions.py [--output docs/results/split-reductions.md]

Each layer is compiled twice, with and without the pass `split-reductions`; estimates choose in both. Times are device
time between two events with the L2 warm, medians; a launch is in them. Estimates are of the rTasks and the barriers
after them.
"""

import argparse
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.context import new_context
from rammer_ir.cost.analytic import wave_microseconds
from rammer_ir.cost.device_rates import rates_of
from rammer_ir.demo.models import light_model
from rammer_ir.dialects.rtask import DispatchOp
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.pipelines import PIPELINES
from rammer_ir.random_inputs import random_inputs
from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.program import CudaProgram
from rammer_ir.scheduling.program_form import device_of, kernels_of
from rammer_ir.weights.recipes import evaluate_recipes

RUNS = 30
SPLIT = "split-reductions"


def convolution(side: int, channels: int, filters: int, taps: int) -> onnx.ModelProto:
    """Conv and Relu on one square image, padded to keep its size."""
    generator = np.random.default_rng(0)
    kernel = generator.standard_normal((filters, channels, taps, taps)) / np.sqrt(channels * taps * taps)
    weights = [
        numpy_helper.from_array(kernel.astype(np.float32), "w"),
        numpy_helper.from_array(generator.standard_normal(filters).astype(np.float32), "b"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv", pads=[taps // 2] * 4),
        helper.make_node("Relu", ["c"], ["y"], "relu"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, side, side])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, filters, side, side])
    graph = helper.make_graph(nodes, "convolution", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "49, 512, 4608": lambda: convolution(7, 512, 512, 3),
    "49, 512, 2048": lambda: convolution(7, 2048, 512, 1),
    "49, 2048, 512": lambda: convolution(7, 512, 2048, 1),
    "196, 256, 2304": lambda: convolution(14, 256, 256, 3),
    "196, 256, 1024": lambda: convolution(14, 1024, 256, 1),
    "784, 128, 1152": lambda: convolution(28, 128, 128, 3),
    "AlexNet": lambda: light_model("bvlc_alexnet"),
    "ResNet-50": lambda: light_model("resnet50"),
}
"""What is measured: layers by their M, N and K, and networks."""


def flat(name: str) -> Iterator[str]:
    """The passes of a pipeline."""
    for part in PIPELINES.get(name, ()):
        yield from flat(part) if part in PIPELINES else (part,)


def measure(name: str, model: onnx.ModelProto, device: Device, *, is_split: bool) -> str:
    """One row of the table."""
    imported = import_model(model)
    context, passes = new_context(), [part for part in flat("persistent") if is_split or part != SPLIT]
    at = passes.index("schedule-wavefront")
    description = "h200" if "H200" in device.properties.name else "h100"
    front = ",".join([f"set-device{{device={description}}}", *passes[:at]])
    run_passes(context, imported.module, parse_pass_pipeline(front))
    rates, veus, kernels = (
        rates_of(device_of(imported.module)),
        device_of(imported.module).veus,
        kernels_of(imported.module),
    )
    dispatches = [op for op in imported.module.walk() if isinstance(op, DispatchOp)]
    estimate = 0.0
    for dispatch in dispatches:
        assert dispatch.cost is not None, "the kernels were selected by their costs"
        tasks = kernels[dispatch.kernel.string_value()].tasks
        estimate += wave_microseconds(dispatch.cost.microseconds, tasks, veus, rates)
    run_passes(context, imported.module, parse_pass_pipeline(",".join(passes[at:])))
    image = encode(imported.module)
    evaluate_recipes(imported.module, imported.weights)
    weights = imported.weights.arrange(image.weights, image.weight_bytes)
    program = CudaProgram(image, weights, device=device)
    inputs = random_inputs(image.inputs, seed=0)
    comparison = compare(program.run(inputs), run_onnxruntime(model, inputs))
    if not comparison.is_close:
        raise SystemExit(f"{name}: wrong by {comparison.largest_error}")
    timing = program.measure(inputs, runs=RUNS, warmup=5, clock="device")
    program.close()
    return (
        f"| {name} | {'yes' if is_split else 'no'} | {len(dispatches)} | {estimate:.1f} | {timing.median * 1e6:.1f} "
        f"| {comparison.largest_error:.1e} |"
    )


def main() -> None:
    """Measures and prints, or writes, the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="a Markdown file; else standard output")
    parser.add_argument("--commit", default="", help="what is measured")
    options = parser.parse_args()
    device = Device()
    rows = [
        "| M, N, K or network | sums may be split | dispatches | estimated us | measured us | error |",
        "|---|---|---|---|---|---|",
    ]
    for name, make in MODELS.items():
        model = make()
        for is_split in (False, True):
            rows.append(measure(name, model, device, is_split=is_split))
            print(rows[-1], flush=True)
    text = (
        "# Sums whole and split\n\n"
        f"{device.properties.name}, fp32, strategy `persistent`, device time, warm L2, medians of {RUNS}; "
        f"{date.today()}, commit {options.commit}. Script: `benchmarks/split_reductions.py`.\n\n"
        + "\n".join(rows)
        + "\n"
    )
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
