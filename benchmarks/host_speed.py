"""
How fast programs run on the CPU: `python benchmarks/host_speed.py [result.md]`.

Networks with random weights at batch 1 (the perceptron: 16), strategy `persistent`, beside onnxruntime with as many
threads as there are vEUs. Runs alternate between both. Wall time is that of one call, the best and the median;
processor time is that of all threads, the least of a run: it tells on a machine with other users too. A compilation
starts with an empty cache.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import onnx
from numpy.typing import NDArray

import rammer_ir
from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.cost.devices.host import cores
from rammer_ir.demo.models import light_model, lstm_model, mlp_model
from rammer_ir.files import write_text_aside
from rammer_ir.random_inputs import random_inputs

RUNS = 30

Arrays = Mapping[str, NDArray[Any]]


class Network(NamedTuple):
    """A model, and the floating-point operations of its products in one run, in units of 10^9."""

    title: str
    model: Callable[[], onnx.ModelProto]
    operations: float


NETWORKS = (
    Network("ResNet-50, 224 x 224", lambda: light_model("resnet50"), 8.2),
    Network("SqueezeNet 1.0, 224 x 224", lambda: light_model("squeezenet"), 1.7),
    Network("LSTM, 10 layers, 100 steps, hidden size 256", lstm_model, 2 * 10 * 100 * 4 * 256 * 512 / 1e9),
    Network("Perceptron, 784-512-256-10, 16 rows", mlp_model, 2 * 16 * (784 * 512 + 512 * 256 + 256 * 10) / 1e9),
)


class Times:
    """Wall and processor time of runs, in milliseconds."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.processor: list[float] = []

    def run(self, call: Callable[[], object]) -> None:
        processor, wall = time.process_time(), time.perf_counter()
        call()
        self.wall.append(1e3 * (time.perf_counter() - wall))
        self.processor.append(1e3 * (time.process_time() - processor))

    @property
    def columns(self) -> str:
        return f"{min(self.wall):.2f} | {np.median(self.wall):.2f} | {min(self.processor):.2f}"


def compiled(model: onnx.ModelProto) -> tuple[rammer_ir.Program, str]:
    """The program, compiled with an empty cache, and columns of the table: wall and processor time, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RAMMER_CACHE_DIR"] = folder
        start, before = time.perf_counter(), os.times()
        program = rammer_ir.compile(model, device="cpu", strategy="persistent")
        after = os.times()
        processor = sum(after[:4]) - sum(before[:4])
        return program, f"{time.perf_counter() - start:.1f} | {processor:.1f}"


def onnxruntime_run(model: onnx.ModelProto, inputs: Arrays) -> Callable[[], object]:
    """A call of onnxruntime on the CPU."""
    runtime = cast("Any", import_module("onnxruntime"))
    options = runtime.SessionOptions()
    options.intra_op_num_threads = cores()
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, dict(inputs))


def row(network: Network) -> str:
    """A network's line of the table."""
    model = network.model()
    program, compilation = compiled(model)
    inputs = random_inputs(program.inputs, seed=0)
    rival = onnxruntime_run(model, inputs)
    ours, theirs = Times(), Times()
    with program:
        if not compare(program.run(inputs), run_onnxruntime(model, inputs)).is_close:
            raise SystemExit(f"{network.title}: other results than onnxruntime's")
        for _ in range(RUNS):
            ours.run(lambda: program.run(inputs))
            theirs.run(rival)
    rate = network.operations / min(ours.wall) * 1e3
    return f"| {network.title} | {compilation} | {ours.columns} | {rate:.1f} | {theirs.columns} |"


def rows() -> Iterator[str]:
    """The table, line by line."""
    times = "best, ms | median, ms | processor, ms"
    yield f"| network | compilation, s | its processor time, s | {times} | GFLOP/s | onnxruntime: {times} |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for network in NETWORKS:
        yield row(network)


def cpu() -> str:
    """The CPU's name, where the system tells."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "a CPU without a name")


def text() -> str:
    """The table, and what it was measured on."""
    table = "\n".join(rows())
    return f"""\
# Speed on the CPU

Programs of strategy `persistent` beside onnxruntime, measured by `benchmarks/host_speed.py` with {cores()} cores of:
{cpu()}, onnxruntime {version("onnxruntime")} with {cores()} threads.

Runs alternate between both: the best and the median wall time of a call, and the least processor time of all threads in
one. GFLOP/s: those of the products, in the best wall time. A compilation starts with an empty cache; its processor time
is that of the compiler with all calls of the C++ compiler. The load average at the end was {os.getloadavg()[0]:.1f}:
where it is above the number of cores, others took a part of them, and processor time is what compares.

{table}
"""


def main() -> None:
    """Measures, prints and writes the table."""
    result = text()
    sys.stdout.write(result)
    if len(sys.argv) > 1:
        with write_text_aside(sys.argv[1]) as file:
            file.write(result)


if __name__ == "__main__":
    main()
