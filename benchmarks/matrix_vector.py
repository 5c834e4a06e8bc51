"""
Products of a few vectors and a matrix alone on a GPU, against what a kernel that only reads gets from memory.

    python benchmarks/matrix_vector.py [--output docs/results/matrix-vector.md]

A network of layers side by side (all read the same vectors, each has a matrix of its own) is compiled as usual. The
time of one more layer is the difference between a network of several and one of fewer, so that neither a launch nor the
way to the first bytes is in it; both have more matrices than the L2 holds. Cold, the L2 is flushed before each run;
warm, it holds what fits of the run before. The reading kernel gets as many bytes, and is measured in the same way.

The classifier is that of AlexNet, three layers one after another: time of the launch, and of one that reads as much.
"""

import argparse
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from rammer_ir.context import new_context
from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.linker import link
from rammer_ir.runtime.cuda.memory import DeviceMemory
from rammer_ir.runtime.cuda.nvrtc import CompileRequest, compile_object
from rammer_ir.runtime.cuda.program import CudaProgram
from rammer_ir.runtime.cuda.timing import DeviceTimer
from rammer_ir.weights.recipes import evaluate_recipes

RUNS = 20

READ = """
extern "C" __global__ void __launch_bounds__(512) read(const uint4* data, unsigned long long count, unsigned* out) {
  unsigned sum = 0;
  const unsigned long long step = static_cast<unsigned long long>(gridDim.x) * 512;
  unsigned long long i = static_cast<unsigned long long>(blockIdx.x) * 512 + threadIdx.x;
  for (; i + 7 * step < count; i += 8 * step) {
    uint4 v[8];
#pragma unroll
    for (int j = 0; j < 8; ++j) v[j] = __ldcs(data + i + j * step);
#pragma unroll
    for (int j = 0; j < 8; ++j) sum ^= v[j].x ^ v[j].y ^ v[j].z ^ v[j].w;
  }
  for (; i < count; i += step) sum ^= data[i].x;
  if (sum == 0x12345678) *out = sum;
}
"""

L2_BYTES = 50_000_000
"""The second-level cache of an H100."""

Cache = Literal["warm", "cold"]
CACHES: tuple[Cache, ...] = ("cold", "warm")


@dataclass(frozen=True)
class Layer:
    """`m` vectors of `k` times a matrix of `k` x `n`."""

    m: int
    n: int
    k: int

    @property
    def size(self) -> int:
        """Bytes of the matrix."""
        return 4 * self.n * self.k

    @property
    def layers(self) -> tuple[int, int]:
        """How many layers the two networks have whose times are compared."""
        return (1, 3) if self.size > L2_BYTES else (4, 8)

    def model(self, layers: int, matrices: NDArray[np.float32], bias: NDArray[np.float32]) -> onnx.ModelProto:
        """Gemm and Relu, several times."""
        weights = [numpy_helper.from_array(bias, "b")]
        weights += [numpy_helper.from_array(matrices[layer], f"w{layer}") for layer in range(layers)]
        nodes: list[onnx.NodeProto] = []
        for layer in range(layers):
            nodes.append(helper.make_node("Gemm", ["x", f"w{layer}", "b"], [f"g{layer}"], f"gemm{layer}", transB=1))
            nodes.append(helper.make_node("Relu", [f"g{layer}"], [f"y{layer}"], f"relu{layer}"))
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [self.m, self.k])
        results = [
            helper.make_tensor_value_info(f"y{layer}", TensorProto.FLOAT, [self.m, self.n]) for layer in range(layers)
        ]
        graph = helper.make_graph(nodes, "products", [x], results, weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


CASES = (
    Layer(1, 4096, 9216),
    Layer(1, 4096, 4096),
    Layer(1, 1000, 4096),
    Layer(1, 1000, 2048),
    Layer(1, 3072, 768),
    Layer(4, 4096, 4096),
    Layer(8, 4096, 4096),
    Layer(8, 1000, 4096),
)


def load(model: onnx.ModelProto, device: Device) -> tuple[CudaProgram, str]:
    """The program, and the tiling of its kernels as text."""
    imported = import_model(model)
    description = "h200" if "H200" in device.properties.name else "h100"
    pipeline = f"set-device{{device={description}}},persistent"
    run_passes(new_context(), imported.module, parse_pass_pipeline(pipeline))
    kernel = next(op for op in imported.module.walk() if isinstance(op, KernelOp))
    image = encode(imported.module)
    evaluate_recipes(imported.module, imported.weights)
    weights = imported.weights.arrange(image.weights, image.weight_bytes)
    return CudaProgram(image, weights, device=device), str(kernel.attributes["tiling"])


class Reader:
    """A kernel that reads device memory, and its timer."""

    def __init__(self, device: Device, size: int) -> None:
        architecture = device.properties.architecture
        request = CompileRequest("read", READ, headers={}, definitions={}, architecture=architecture)
        cubin = link("read", {"read": compile_object(request).cubin}, architecture)
        self.device = device
        self.memory = DeviceMemory(device, size)
        self.result = DeviceMemory(device, 16)
        with device.current():
            self.stream = device.driver.cuStreamCreate(0)
            self.function = device.driver.cuModuleGetFunction(device.driver.cuModuleLoadData(cubin), b"read")
        self.timer = DeviceTimer(device, self.stream)

    def seconds(self, size: int, cache: Cache) -> float:
        """The time of one launch that reads so many bytes: the best of some numbers of blocks."""
        values = np.array([self.memory.address, size // 16, self.result.address], np.uint64)
        addresses = np.array([values.ctypes.data + 8 * i for i in range(3)], np.uint64)
        medians: list[float] = []
        with self.device.current():
            for blocks in (2, 4):
                grid = blocks * self.device.properties.multiprocessors

                def submit(grid: int = grid) -> None:
                    self.device.driver.cuLaunchKernel(
                        self.function, grid, 1, 1, 512, 1, 1, 0, self.stream, addresses.ctypes.data, 0
                    )

                medians.append(self.timer.measure(submit, runs=RUNS, warmup=3, cache=cache).median)
        return min(medians)


CLASSIFIER = (9216, 4096, 4096, 1000)
"""Lengths of the vectors between AlexNet's last layers."""


def classifier(device: Device, reader: Reader) -> list[str]:
    """The rows of the classifier: cold and warm."""
    generator = np.random.default_rng(0)
    weights: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []
    x = wanted = generator.random((1, CLASSIFIER[0]), np.float32)
    for layer, (k, n) in enumerate(pairwise(CLASSIFIER)):
        matrix = (generator.random((n, k), np.float32) - 0.5) / np.float32(np.sqrt(k))
        weights.append(numpy_helper.from_array(matrix, f"w{layer}"))
        nodes.append(helper.make_node("Gemm", [f"y{layer}", f"w{layer}"], [f"g{layer}"], f"gemm{layer}", transB=1))
        nodes.append(helper.make_node("Relu", [f"g{layer}"], [f"y{layer + 1}"], f"relu{layer}"))
        wanted = np.maximum(wanted.astype(np.float64) @ matrix.astype(np.float64).T, 0)
    first = helper.make_tensor_value_info("y0", TensorProto.FLOAT, [1, CLASSIFIER[0]])
    last = helper.make_tensor_value_info("y3", TensorProto.FLOAT, [1, CLASSIFIER[-1]])
    graph = helper.make_graph(nodes, "classifier", [first], [last], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    program, _ = load(model, device)
    found = program.run({"y0": x})["y3"]
    error = float(np.abs(found - wanted).max() / np.abs(wanted).max())
    size = sum(4 * k * n for k, n in pairwise(CLASSIFIER))
    rows: list[str] = []
    for cache in CACHES:
        ours = program.measure({"y0": x}, runs=RUNS, warmup=3, clock="device", cache=cache).median
        reading = reader.seconds(size, cache)
        rows.append(
            f"| classifier | {size / 1e6:.1f} | | {cache} | {ours * 1e6:.1f} | {size / ours / 1e12:.2f} "
            f"| {size / reading / 1e12:.2f} | {reading / ours:.0%} | {error:.1e} |"
        )
    program.close()
    return rows


def slope(times: dict[int, float]) -> float:
    """The time of one more layer, from those of a few and of many."""
    few, many = times
    return (times[many] - times[few]) / (many - few)


def measure(layer: Layer, device: Device, reader: Reader) -> list[str]:
    """The rows of a layer: cold and warm."""
    generator = np.random.default_rng(0)
    shape = (max(layer.layers), layer.n, layer.k)
    matrices = (generator.random(shape, np.float32) - 0.5) / np.float32(np.sqrt(layer.k))
    bias = generator.random(layer.n, np.float32) - 0.5
    x = generator.random((layer.m, layer.k), np.float32) - 0.5
    times: dict[Cache, dict[int, float]] = {cache: {} for cache in CACHES}
    tiling, error = "", 0.0
    for layers in layer.layers:
        program, tiling = load(layer.model(layers, matrices, bias), device)
        found = program.run({"x": x})
        for number in range(layers):
            wanted = np.maximum(x.astype(np.float64) @ matrices[number].astype(np.float64).T + bias, 0)
            error = max(error, float(np.abs(found[f"y{number}"] - wanted).max() / np.abs(wanted).max()))
        for cache in CACHES:
            measured = program.measure({"x": x}, runs=RUNS, warmup=3, clock="device", cache=cache)
            times[cache][layers] = measured.median
        program.close()
    if error > 1e-5:
        raise SystemExit(f"{layer}: wrong by {error}")
    rows: list[str] = []
    for cache, found in times.items():
        reading = slope({layers: reader.seconds(layers * layer.size, cache) for layers in layer.layers})
        ours = slope(found)
        rows.append(
            f"| {layer.m}, {layer.n}, {layer.k} | {layer.size / 1e6:.1f} | {tiling} | {cache} "
            f"| {ours * 1e6:.2f} | {layer.size / ours / 1e12:.2f} | {layer.size / reading / 1e12:.2f} "
            f"| {reading / ours:.0%} | {error:.1e} |"
        )
    return rows


def main() -> None:
    """Measures and prints, or writes, the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="a Markdown file; else standard output")
    parser.add_argument("--commit", default="", help="what is measured")
    parser.add_argument("--cases", type=int, nargs="*", default=[*range(len(CASES))], help="numbers of layers")
    options = parser.parse_args()
    device = Device()
    numbers: list[int] = options.cases
    chosen = [CASES[number] for number in numbers]
    reader = Reader(device, max(max(layer.layers) * layer.size for layer in CASES))
    rows = [
        "| M, N, K | MB | tiling | L2 | us | TB/s | reading kernel, TB/s | of it | error |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for layer in chosen:
        found = measure(layer, device, reader)
        rows += found
        print("\n".join(found), flush=True)
    rows += classifier(device, reader)
    print("\n".join(rows[-2:]), flush=True)
    text = (
        "# Matrix-vector products alone, all vEUs busy\n\n"
        f"{device.properties.name}, fp32, device time, medians of {RUNS}; {date.today()}, commit {options.commit}. "
        "Script: `benchmarks/matrix_vector.py`, which says how a layer's time is measured. Errors against float64.\n\n"
        + "\n".join(rows)
        + "\n"
    )
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
