"""
Bodies that are bound by memory, alone on a GPU: depthwise convolution, pooling, rows, element by element.

    python benchmarks/memory_bound.py [--output docs/results/memory-bound.md]

Images are channels last. Each operator is compiled as usual, for one image (or as many rows), and for as many as make
about 24 MB, so that all vEUs are busy and everything fits the L2. Times are device time between two events, medians;
what an empty program takes is subtracted. Results are compared with NumPy in float64.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rammer_ir.context import new_context
from rammer_ir.dialects.rop import WeightOp
from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.memory import DeviceMemory
from rammer_ir.runtime.cuda.program import CudaProgram
from rammer_ir.testing.memory_bound import (
    depthwise_convolution,
    element_wise_sum,
    global_average,
    layer_normalization,
    maximum_pooling,
)
from rammer_ir.testing.operators import softmax
from rammer_ir.testing.program_images import ImageBuilder
from rammer_ir.weights.store import WeightStore

Array = NDArray[Any]

FEWEST_BYTES = 24_000_000
"""Read and written together: more than any vEU's share of a task's fixed costs, less than the L2."""

COPIES, SERIES = 50, 20

PASSES = (
    "set-device{{device={}}},tile,convert-rop-to-rtask,annotate-costs,select-kernels,convert-contraction-to-block,"
    "convert-generic-to-block,schedule-wavefront,convert-rtask-to-vdevice,insert-barriers,plan-memory,verify-program"
)


@dataclass(frozen=True)
class Problem:
    """An operator for any number of images or groups of rows, with its reference in float64."""

    name: str
    text: Callable[[int], str]
    reference: Callable[..., Array]


def windows(x: Array, size: int, stride: int, pad: float) -> list[Array]:
    """What each tap of a square window of [n, y, x, c] reads, for all places."""
    border = size // 2
    padded = np.pad(x, ((0, 0), (border, border), (border, border), (0, 0)), constant_values=pad)
    places = (x.shape[1] + 2 * border - size) // stride + 1
    last = (places - 1) * stride + 1
    return [padded[:, y : y + last : stride, x : x + last : stride] for y in range(size) for x in range(size)]


def depthwise_reference(size: int, stride: int) -> Callable[..., Array]:
    def reference(x: Array, w: Array, b: Array) -> Array:
        taps = windows(x, size, stride, 0.0)
        total = sum(tap * factor for tap, factor in zip(taps, w.reshape(size * size, -1), strict=True))
        return np.maximum(total + b, 0)

    return reference


def maximum_reference(x: Array) -> Array:
    return np.max(windows(x, 3, 2, -np.inf), axis=0)


def softmax_reference(x: Array) -> Array:
    powers = np.exp(x - x.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def normalized(x: Array, gamma: Array, beta: Array) -> Array:
    centered = x - x.mean(1, keepdims=True)
    return centered / np.sqrt((centered**2).mean(1, keepdims=True) + 1e-5) * gamma + beta


def average(x: Array) -> Array:
    return x.mean((1, 2))


def positive_sum(x: Array, y: Array) -> Array:
    return np.maximum(x + y, 0)


PROBLEMS = (
    Problem("depthwise 3x3, 56x56x128", lambda n: depthwise_convolution(n, 56, 128), depthwise_reference(3, 1)),
    Problem("depthwise 3x3, 28x28x256", lambda n: depthwise_convolution(n, 28, 256), depthwise_reference(3, 1)),
    Problem(
        "depthwise 3x3 / 2, 56x56x128",
        lambda n: depthwise_convolution(n, 56, 128, stride=2),
        depthwise_reference(3, 2),
    ),
    Problem(
        "depthwise 5x5, 28x28x256", lambda n: depthwise_convolution(n, 28, 256, kernel=5), depthwise_reference(5, 1)
    ),
    Problem("maximum pooling 3x3 / 2, 112x112x64", lambda n: maximum_pooling(n, 112, 64), maximum_reference),
    Problem("average of 7x7x2048", lambda n: global_average(n, 7, 2048), average),
    Problem("softmax of 128 rows of 768", lambda n: softmax(128 * n, 768), softmax_reference),
    Problem("softmax of 4096 rows of 1024", lambda n: softmax(4096 * n, 1024), softmax_reference),
    Problem("layer norm of 128 rows of 768", lambda n: layer_normalization(128 * n, 768), normalized),
    Problem("add, maximum with 0, of 3136x256", lambda n: element_wise_sum(3136 * n, 256), positive_sum),
)


@dataclass(frozen=True)
class Loaded:
    """A program, what it was made of, and how it was cut."""

    program: CudaProgram
    inputs: dict[str, Array]
    weights: Sequence[Array]
    tiling: str
    tasks: int
    moved_bytes: int


def load(problem: Problem, copies: int, device: Device) -> Loaded:
    """The program of a problem with random inputs."""
    module = parse_module(new_context(), problem.text(copies))
    description = "h200" if "H200" in device.properties.name else "h100"
    run_passes(new_context(), module, parse_pass_pipeline(PASSES.format(description)))
    (kernel,) = [op for op in module.walk() if isinstance(op, KernelOp)]
    image = encode(module)
    generator = np.random.default_rng(0)
    store = WeightStore()
    for op in module.ops:
        if isinstance(op, WeightOp):
            store.add(op.sym_name.data, generator.standard_normal(op.type.get_shape()).astype(np.float32))
    inputs = {binding.name: generator.standard_normal(binding.shape).astype(np.float32) for binding in image.inputs}
    weights = [store[name] for name in store]
    tensors = [*image.inputs, *image.outputs]
    moved = sum(4 * int(np.prod(binding.shape)) for binding in tensors) + sum(weight.nbytes for weight in weights)
    program = CudaProgram(image, store.arrange(image.weights, image.weight_bytes), device=device)
    return Loaded(program, inputs, weights, str(kernel.attributes["tiling"]), kernel.tasks, moved)


def check(problem: Problem, loaded: Loaded) -> float:
    """The largest error, of the largest value."""
    (found,) = loaded.program.run(loaded.inputs).values()
    arguments = [*loaded.inputs.values(), *loaded.weights]
    expected = problem.reference(*(values.astype(np.float64) for values in arguments)).reshape(found.shape)
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def seconds(loaded: Loaded, cache: Literal["warm", "cold"]) -> float:
    return loaded.program.measure(loaded.inputs, runs=20, warmup=3, clock="device", cache=cache).median


def empty_program(device: Device) -> CudaProgram:
    """A launch of vEUs that have nothing to do."""
    builder = ImageBuilder("nothing")
    builder.launch([[] for _ in range(device.properties.multiprocessors)], threads=256, registers=168)
    return CudaProgram(builder.image(), device=device)


def copy_seconds(device: Device, moved: int) -> float:
    """Of a copy within the device's memory that reads and writes so many bytes together: the fastest series of them."""
    size = moved // 2
    driver = device.driver
    with device.current():
        source, target = (DeviceMemory(device, size) for _ in range(2))
        stream = driver.cuStreamCreate(0)
        begin, end = driver.cuEventCreate(0), driver.cuEventCreate(0)
        times: list[float] = []
        for _ in range(SERIES):
            driver.cuEventRecord(begin, stream)
            for _ in range(COPIES):
                driver.cuMemcpyDtoDAsync(target.address, source.address, size, stream)
            driver.cuEventRecord(end, stream)
            driver.cuEventSynchronize(end)
            times.append(float(driver.cuEventElapsedTime(begin, end)) * 1e-3 / COPIES)
        source.close()
        target.close()
    return min(times)


def row(problem: Problem, device: Device, launch: float) -> str:
    """One row of the table."""
    single = load(problem, 1, device)
    error = check(problem, single)
    latency = seconds(single, "warm") - launch
    cold_latency = seconds(single, "cold") - launch
    single.program.close()
    copies = max(1, -(-FEWEST_BYTES // single.moved_bytes))
    many = load(problem, copies, device)
    error = max(error, check(problem, many))
    warm, cold = seconds(many, "warm") - launch, seconds(many, "cold") - launch
    many.program.close()
    copy = copy_seconds(device, many.moved_bytes)
    rate, cold_rate, copy_rate = (many.moved_bytes / time / 1e12 for time in (warm, cold, copy))
    return (
        f"| {problem.name} | {single.tasks} | {latency * 1e6:.1f} | {cold_latency * 1e6:.1f} | {copies} | {many.tasks} "
        f"| {many.moved_bytes / 1e6:.0f} | {warm * 1e6:.1f} | {rate:.2f} | {cold * 1e6:.1f} | {cold_rate:.2f} "
        f"| {copy_rate:.2f} | {rate / copy_rate:.0%} | {error:.0e} |"
    )


def main() -> None:
    """Measures and prints, or writes, the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="a Markdown file; else standard output")
    parser.add_argument("--commit", default="", help="what is measured")
    parser.add_argument("--only", default="", help="problems whose name has this in it")
    options = parser.parse_args()
    device = Device()
    nothing = empty_program(device)
    launch = nothing.measure({}, runs=30, warmup=5, clock="device").median
    rows = [
        "| operator | rTasks | us | cold us | copies | rTasks | MB | us | TB/s | cold us | cold TB/s | copy TB/s "
        "| of copy | error |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    print(f"an empty launch takes {launch * 1e6:.2f} us")
    for problem in PROBLEMS:
        if options.only in problem.name:
            rows.append(row(problem, device, launch))
            print(rows[-1], flush=True)
    text = (
        "# Bodies that are bound by memory, alone\n\n"
        f"{device.properties.name}, fp32, channels last, device time less that of an empty launch ({launch * 1e6:.1f} "
        f"us), medians of 20; {date.today()}, commit {options.commit}. Script: `benchmarks/memory_bound.py`.\n\n"
        "First one image (or matrix), then several copies of it side by side in one tensor, so that all vEUs are busy "
        "and the L2 holds everything; cold: after the L2 was filled with something else. Bytes are what must be read "
        "and written once. The copy is `cuMemcpyDtoD` of half as many bytes, again and again in a warm L2.\n\n"
        + "\n".join(rows)
        + "\n"
    )
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
