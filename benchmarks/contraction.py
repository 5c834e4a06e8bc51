"""
The contraction body alone on a GPU, all vEUs busy, against the measured peak of fp32 multiply-adds.

    python benchmarks/contraction.py [--output docs/results/contraction.md]

A convolution of a batch of images, channels last, or a matrix product, with bias and ReLU. Every candidate tiling is
compiled by itself; the batch is as large as it takes to give the vEUs whole rounds of rTasks. Times are device time
between two events, what one launch costs included: warm, and after the L2 was flushed, which is foreign code too.
"""

import argparse
import itertools
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from fp32_peak import fp32_peak
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.dialects.rtask import AlternativesOp, KernelOp
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.program import CudaProgram
from rammer_ir.testing import operators
from rammer_ir.weights.recipes import evaluate_recipes
from rammer_ir.weights.store import WeightStore

FEWEST_TASKS_A_VEU = 6
MOST_TASKS_A_VEU = 12

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Problem:
    """A convolution of stride 1 that keeps the size of images of `height` x `width`; with one tap, a matrix product."""

    height: int
    width: int
    channels: int
    filters: int
    taps: int

    @property
    def size(self) -> tuple[int, int, int]:
        """M, N and K."""
        return self.height * self.width, self.filters, self.channels * self.taps**2

    def text(self, batch: int) -> str:
        """The module at the rop level."""
        return operators.convolution(
            batch=batch,
            channels=self.channels,
            filters=self.filters,
            size=(self.height, self.width),
            kernel=(self.taps, self.taps),
            pad=self.taps // 2,
            channels_last=True,
        )

    def weights(self) -> tuple[Array, Array]:
        """The filters [1, filters, channels, taps, taps] and the bias [1, filters]."""
        generator = np.random.default_rng(0)
        kernel = generator.standard_normal((1, self.filters, self.channels, self.taps, self.taps), np.float32)
        return kernel / np.float32(self.size[2] ** 0.5), generator.standard_normal((1, self.filters), np.float32)

    def reference(self, image: Array) -> NDArray[np.float64]:
        """The result for one image [height, width, channels], in float64: [height, width, filters]."""
        kernel, bias = (weight[0].astype(np.float64) for weight in self.weights())
        pad = self.taps // 2
        padded = np.pad(image.astype(np.float64), ((pad, pad), (pad, pad), (0, 0)))
        total = np.zeros((self.height, self.width, self.filters))
        for y, x in itertools.product(range(self.taps), repeat=2):
            total += padded[y : y + self.height, x : x + self.width] @ kernel[:, :, y, x].T
        return np.maximum(total + 2 * bias, 0)


PROBLEMS = (
    Problem(56, 56, 64, 64, 3),
    Problem(28, 28, 128, 128, 3),
    Problem(14, 14, 256, 256, 3),
    Problem(7, 7, 512, 512, 3),
    Problem(8, 16, 3072, 768, 1),
)


def lower(problem: Problem, batch: int, candidate: int, device: str) -> tuple[ModuleOp, KernelOp]:
    """The program with one candidate tiling; IndexError for no such one."""
    module = parse_module(new_context(), problem.text(batch))
    run_passes(new_context(), module, parse_pass_pipeline(f"set-device{{device={device}}},tile,convert-rop-to-rtask"))
    (alternatives,) = [op for op in module.walk() if isinstance(op, AlternativesOp)]
    if candidate >= len(alternatives.candidates):
        raise IndexError(f"there is no candidate {candidate}")
    for number in reversed(range(len(alternatives.candidates))):
        if number != candidate:
            alternatives.detach_region(alternatives.candidates[number])
    back = (
        "annotate-costs,select-kernels,convert-contraction-to-block,convert-generic-to-block,schedule-wavefront,"
        "convert-rtask-to-vdevice,insert-barriers,plan-memory,verify-program"
    )
    run_passes(new_context(), module, parse_pass_pipeline(back))
    kernels = [op for op in module.walk() if isinstance(op, KernelOp)]
    if len(kernels) != 1:
        raise IndexError(f"candidate {candidate} is more than one kernel")
    return module, kernels[0]


def load(problem: Problem, module: ModuleOp, device: Device) -> CudaProgram:
    """The program with its weights on the device."""
    image = encode(module)
    weights = WeightStore()
    for name, array in zip(("filter", "bias"), problem.weights(), strict=True):
        weights.add(name, array)
    evaluate_recipes(module, weights)
    return CudaProgram(image, weights.arrange(image.weights, image.weight_bytes), device=device, poison=True)


def whole_rounds(tasks: int, veus: int) -> int:
    """The batch that leaves the fewest vEUs idle in the last round."""
    batches = range(max(1, FEWEST_TASKS_A_VEU * veus // tasks), max(2, MOST_TASKS_A_VEU * veus // tasks))
    return min(batches, key=lambda batch: (-(-batch * tasks // veus) * veus / (batch * tasks), batch))


def relative_error(problem: Problem, program: CudaProgram, inputs: dict[str, Array]) -> float:
    """That of the first and the last image."""
    (result,) = program.run(inputs).values()
    images = inputs[program.image.inputs[0].name]
    errors: list[float] = []
    for number in {0, len(images) - 1}:
        expected = problem.reference(images[number])
        actual = result[number].reshape(expected.shape)
        errors.append(float(np.linalg.norm(actual - expected) / np.linalg.norm(expected)))
    return max(errors)


def measure(problem: Problem, candidate: int, device: Device, peak: float) -> str:
    """One row of the table; IndexError if the problem has no such candidate."""
    description = "h200" if "H200" in device.properties.name else "h100"
    veus = device.properties.multiprocessors
    _, kernel = lower(problem, 1, candidate, description)
    batch = whole_rounds(kernel.tasks, veus)
    module, kernel = lower(problem, batch, candidate, description)
    program = load(problem, module, device)
    generator = np.random.default_rng(1)
    inputs = {binding.name: generator.standard_normal(binding.shape, np.float32) for binding in program.image.inputs}
    error = relative_error(problem, program, inputs)
    if not error < 1e-5:
        raise SystemExit(f"{kernel.attributes['tiling']}: wrong by {error}")
    warm, cold = (
        program.measure(inputs, runs=30, warmup=5, clock="device", cache=cache).median for cache in ("warm", "cold")
    )
    program.close()
    m, n, k = problem.size
    rate = 2.0 * m * n * k * batch / warm
    tiling = str(kernel.attributes["tiling"]).removeprefix("#rop.tiling<contraction ").removesuffix(">")
    return (
        f"| {m}, {n}, {k} | {tiling} | {batch} | {kernel.tasks} | {kernel.tasks / veus:.2f} | {warm * 1e6:.1f} "
        f"| {cold * 1e6:.1f} | {rate / 1e12:.1f} | {rate / peak:.1%} | {error:.1e} |"
    )


def main() -> None:
    """Measures and prints, or writes, the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="a Markdown file; else standard output")
    parser.add_argument("--commit", default="", help="what is measured")
    options = parser.parse_args()
    device = Device()
    peak = fp32_peak(device)
    rows = [
        "| M, N, K an image | tiling | images | rTasks | rTasks a vEU | us warm | us cold | TFLOP/s | of peak "
        "| error |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for problem in PROBLEMS:
        for candidate in range(12):
            try:
                rows.append(measure(problem, candidate, device, peak))
            except IndexError:
                continue
            print(rows[-1], flush=True)
    text = (
        "# The contraction body alone, all vEUs busy\n\n"
        f"{device.properties.name}, fp32, device time, medians of 30, against {peak / 1e12:.1f} TFLOP/s that a loop of "
        f"independent multiply-adds reaches in the same run; {date.today()}, commit {options.commit}. Script: "
        "`benchmarks/contraction.py`. Errors are relative to float64.\n\n" + "\n".join(rows) + "\n"
    )
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
