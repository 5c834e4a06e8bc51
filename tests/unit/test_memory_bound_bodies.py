"""Bodies of what is bound by memory: they compute what their kernels say, with the loads that were planned."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects import memref
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.dialects import block
from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.block import CompiledBody
from rammer_ir.interpreters.comparison import Tolerance
from rammer_ir.interpreters.kernel_check import check_kernel
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.testing.memory_bound import (
    depthwise_convolution,
    element_wise_sum,
    global_average,
    layer_normalization,
    maximum_pooling,
)
from rammer_ir.testing.operators import softmax

PASSES = "set-device{{device=h100 veus={}}},tile,convert-rop-to-rtask,convert-generic-to-block"
TOLERANCE = Tolerance(1e-4, 1e-4)


def lowered(text: str, veus: int = 132) -> ModuleOp:
    module = parse_module(new_context(), text)
    module.verify()
    run_passes(new_context(), module, parse_pass_pipeline(PASSES.format(veus)))
    return module


def check(text: str, veus: int) -> None:
    """Run some tasks of each kernel, on tiles as they come for so many vEUs, by its region and by its body."""
    module = lowered(text, veus)
    for kernel in (op for op in module.ops if isinstance(op, KernelOp)):
        tasks = sorted({0, kernel.tasks // 2, kernel.tasks - 1})
        check_kernel(module, kernel, tasks=tasks, tolerance=TOLERANCE)


def vector_loads(module: ModuleOp) -> Sequence[int]:
    """How many elements each load and vector load of the module's bodies from memory has."""
    found: list[int] = []
    for op in module.walk():
        if isinstance(op, block.CopyOp) and block.memory_space(op.target) is block.MemorySpace.THREAD:
            found.append(op.elements)
        elif isinstance(op, memref.LoadOp) and block.memory_space(op.memref) is not block.MemorySpace.THREAD:
            found.append(1)
    return found


def barriers(module: ModuleOp) -> int:
    return sum(isinstance(op, block.BarrierOp) for op in module.walk())


VEUS = st.sampled_from([1, 3, 132])
CHANNELS = st.sampled_from([1, 4, 6, 36, 64])
SIDES = st.integers(4, 13)


@settings(max_examples=12)
@given(st.integers(1, 2), SIDES, CHANNELS, st.sampled_from([1, 3, 5]), st.integers(1, 2), st.integers(0, 2), VEUS)
def test_depthwise_convolutions(
    batch: int, size: int, channels: int, kernel: int, stride: int, pad: int, veus: int
) -> None:
    if size + 2 * pad >= kernel:
        check(depthwise_convolution(batch, size, channels, kernel=kernel, stride=stride, pad=pad), veus)


@settings(max_examples=8)
@given(SIDES, CHANNELS, st.sampled_from([2, 3]), st.integers(1, 3), VEUS)
def test_poolings(size: int, channels: int, window: int, stride: int, veus: int) -> None:
    check(maximum_pooling(1, size, channels, window=window, stride=stride), veus)


@settings(max_examples=8)
@given(st.integers(1, 3), st.integers(2, 9), st.sampled_from([1, 6, 16, 128, 200]), VEUS)
def test_averages(batch: int, size: int, channels: int, veus: int) -> None:
    check(global_average(batch, size, channels), veus)


@settings(max_examples=12)
@given(st.integers(1, 9), st.sampled_from([1, 5, 31, 32, 33, 96, 130, 1000, 2048, 2500]), VEUS, st.booleans())
def test_rows(rows: int, columns: int, veus: int, is_softmax: bool) -> None:
    check(softmax(rows, columns) if is_softmax else layer_normalization(rows, columns), veus)


@settings(max_examples=8)
@given(st.integers(1, 300), st.sampled_from([1, 7, 32, 90]), VEUS)
def test_sums(rows: int, columns: int, veus: int) -> None:
    check(element_wise_sum(rows, columns), veus)


def test_threads_read_overlapping_windows_once() -> None:
    """2 x 4 results of 3 x 3 windows take 4 x 6 elements, 9 weights and the bias, in vectors of 4 channels."""
    assert vector_loads(lowered(depthwise_convolution(1, 56, 128))) == [4] * (24 + 9 + 1)


def test_rows_are_read_once() -> None:
    """32 lanes have 8 vectors each of a row of 1024; what softmax hands on stays in registers."""
    module = lowered(softmax(4096, 1024))
    assert vector_loads(module) == [4] * 8
    assert barriers(module) == 0


def test_channels_of_an_average_lie_side_by_side_in_a_warp() -> None:
    """16 channels a task are 4 vectors; 8 lanes share the 49 places of each: 7 rounds."""
    module = lowered(global_average(1, 7, 2048))
    assert vector_loads(module) == [4] * 7
    reductions = [op for op in module.walk() if isinstance(op, block.LaneReduceOp)]
    assert [(op.lanes, op.step) for op in reductions] == [(8, 4)] * 4


def test_lanes_combine_only_in_whole_warps() -> None:
    text = """
    block.body @sums threads 64 {
    ^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %n: index):
      block.parallel thread (%i) in %n {
        %v = memref.load %x[%i] : memref<?xf32, "global">
        %s = block.lane_reduce add %v over 8 step 4 : f32
        memref.store %s, %y[%i] : memref<?xf32, "global">
      }
      block.yield
    }
    """
    (body,) = [op for op in parse_module(new_context(), text).ops if isinstance(op, block.BodyOp)]
    values, sums = np.arange(64, dtype=np.float32), np.zeros(64, np.float32)
    CompiledBody(body).run([values, sums], [64], 0, 0)
    assert np.array_equal(sums, np.tile(values.reshape(2, 8, 4).sum(1, keepdims=True), (1, 8, 1)).reshape(-1))
    with pytest.raises(RammerError, match="no multiple of 32"):
        CompiledBody(body).run([values, sums], [40], 0, 0)
