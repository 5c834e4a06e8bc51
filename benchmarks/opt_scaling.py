"""
How long rammer-opt takes from ONNX to CUDA C, for chains of convolution blocks: it has to grow linearly with layers.

    python benchmarks/opt_scaling.py [--blocks 25 50 100 200] [--output docs/results/opt-scaling.md]
"""

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS = 64
SIDE = 28


def chain(blocks: int) -> onnx.ModelProto:
    """`blocks` times Conv 3x3 and Relu on [1, 64, 28, 28], each with weights of its own."""
    generator = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    weights: list[TensorProto] = []
    value = "x"
    for block in range(blocks):
        kernel = generator.standard_normal((CHANNELS, CHANNELS, 3, 3)).astype(np.float32) / 24
        weights.append(numpy_helper.from_array(kernel, f"w{block}"))
        nodes.append(helper.make_node("Conv", [value, f"w{block}"], [f"c{block}"], f"conv{block}", pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{block}"], [f"r{block}"], f"relu{block}"))
        value = f"r{block}"
    shape = [1, CHANNELS, SIDE, SIDE]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info(value, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, f"chain{blocks}", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def seconds(path: Path) -> float:
    """Wall time of one rammer-opt process from the file to CUDA C."""
    pipeline = "set-device{device=h100},persistent"
    tool = "import sys; from rammer_ir.cli.rammer_opt import main; sys.exit(main())"
    command = [sys.executable, "-c", tool, str(path), "-p", pipeline, "-t", "cuda{arch=sm_90a}"]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    elapsed = time.perf_counter() - start
    if "__global__" not in done.stdout:
        raise SystemExit("rammer-opt printed no kernel")
    return elapsed


def table(blocks: Sequence[int], repeats: int) -> str:
    """A Markdown table: the best of some runs, and the time a block."""
    rows = ["| convolution blocks | rammer-opt, s | ms a block |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        for count in blocks:
            path = Path(folder) / "chain.onnx"
            path.write_bytes(chain(count).SerializeToString())
            best = min(seconds(path) for _ in range(repeats))
            rows.append(f"| {count} | {best:.2f} | {best / count * 1e3:.1f} |")
            print(rows[-1], file=sys.stderr)
    return "\n".join(rows)


def main() -> None:
    """Measures and prints, or writes, the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, nargs="+", default=[25, 50, 100, 200])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--commit", default="", help="what is measured")
    parser.add_argument("--output", type=Path, help="a Markdown file; else standard output")
    options = parser.parse_args()
    text = (
        "# rammer-opt from ONNX to CUDA C\n\n"
        f"Chains of Conv 3x3 + Relu on [1, {CHANNELS}, {SIDE}, {SIDE}], pipeline `persistent`, target "
        f"`cuda{{arch=sm_90a}}`; wall time of the whole process, best of {options.repeats}. Python "
        f"{platform.python_version()}, one core of {platform.machine()}, {date.today()}, commit "
        f"{options.commit}. Script: `benchmarks/opt_scaling.py`.\n\n"
        f"{table(options.blocks, options.repeats)}\n"
    )
    if options.output is None:
        print(text)
    else:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
