"""Recurrent models under the strategy `resident`: right, on vEUs of their own, or as other models where they must."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import ModuleOp, SymbolRefAttr

from rammer_ir.comparison import run_onnxruntime
from rammer_ir.demo.models import lstm_model
from rammer_ir.dialects.block import BodyOp, MemorySpace, memory_space
from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.dialects.vdevice import BufferOp, ForOp, GroupOp, LaunchOp, RunOp
from rammer_ir.interpreters.block import CompiledBody
from rammer_ir.interpreters.element_types import shape_of
from rammer_ir.interpreters.kernel_check import check_kernel
from rammer_ir.interpreters.module import run_module
from rammer_ir.runtime.cache import CompileCache
from rammer_ir.runtime.cuda.build import build
from rammer_ir.runtime.host.program import HostProgram
from rammer_ir.runtime.program_image import Opcode
from rammer_ir.testing.compiled_models import run_compiled
from rammer_ir.testing.lowered_models import LoweredModel, lower_model
from rammer_ir.testing.recurrent_models import RecurrentModel
from rammer_ir.testing.small_models import SMALL_MODELS, small_inputs

ON_HOST = "set-device{device=host veus=2},resident"
ON_CUDA = "set-device{device=h100},resident"

LSTM = RecurrentModel("LSTM")
MODELS = {
    "LSTM": replace(LSTM, layers=2, batch=3, outputs="yh"),
    "LSTM, last states": replace(LSTM, outputs="yhc", starts=True, hidden=19, inputs=3),
    "LSTM, reverse": replace(LSTM, direction="reverse", outputs="yhc"),
    "LSTM, both directions": replace(LSTM, direction="bidirectional", outputs="yh"),
    "RNN": RecurrentModel("RNN", layers=2, outputs="yh"),
    "GRU": RecurrentModel("GRU", layers=2, resets_product=True, outputs="yh", starts=True),
}


@cache
def on_cuda(name: str) -> LoweredModel:
    return lower_model(MODELS[name].build(), ON_CUDA)


def inputs_of(model: RecurrentModel) -> dict[str, np.ndarray]:
    shape = (model.steps, model.batch, model.inputs)
    return {"x": np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)}


def count(module: ModuleOp, kind: type) -> int:
    return sum(isinstance(op, kind) for op in module.walk())


def assert_close(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", MODELS)
def test_programs_are_right(name: str) -> None:
    """Each of their loops is in a group."""
    inputs = inputs_of(MODELS[name])
    expected = run_onnxruntime(MODELS[name].build(), inputs)
    lowered = on_cuda(name)
    assert count(lowered.module, GroupOp) == count(lowered.module, ForOp) > 0
    results = run_module(lowered.module, inputs, lowered.weights)
    assert_close(dict(zip(expected, results, strict=True)), expected)


def test_programs_run_on_threads() -> None:
    name = "LSTM, both directions"
    inputs = inputs_of(MODELS[name])
    expected = run_onnxruntime(MODELS[name].build(), inputs)
    lowered = lower_model(MODELS[name].build(), ON_HOST)
    assert count(lowered.module, GroupOp) == 2
    program = HostProgram(*lowered.encode(), poison=True)
    for _ in range(3):
        assert_close(dict(program.run(inputs)), expected)
    program.close()


def step_kernels(module: ModuleOp) -> list[KernelOp]:
    """The kernels of steps, each once."""
    names = {run.kernel.string_value() for run in module.walk() if isinstance(run, RunOp) and run.at}
    return [op for op in module.ops if isinstance(op, KernelOp) and op.sym_name.data in names]


@pytest.mark.parametrize("name", MODELS)
def test_bodies_compute_what_their_kernels_mean(name: str) -> None:
    """In single steps: the first ones, and the last."""
    kernels = step_kernels(on_cuda(name).module)
    assert kernels
    for kernel in kernels:
        for loop in (0, MODELS[name].steps - 1):
            check_kernel(on_cuda(name).module, kernel, loop=loop)


def run_body(module: ModuleOp, run: RunOp, calls: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """What a run writes if its body is called for its first task, with a first step and a number of steps each."""
    kernel = next(op for op in module.ops if isinstance(op, KernelOp) and run.kernel == SymbolRefAttr(op.sym_name.data))
    name = kernel.implementation
    body = next(op for op in module.ops if isinstance(op, BodyOp) and name == SymbolRefAttr(op.sym_name.data))
    generator = np.random.default_rng(0)
    operands = [*run.inputs, *run.outputs]
    arrays = {
        value: generator.uniform(-1, 1, prod(shape_of(value.type))).astype(np.float32)
        for value in dict.fromkeys(operands)
    }
    for first, steps in calls:
        CompiledBody(body).run([arrays[value] for value in operands], kernel.parameters, 0, first, steps)
    return [arrays[value] for value in run.outputs]


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_bodies_compute_all_steps_at_once(name: str) -> None:
    """As if each step were a call of its own, where one task has all units, so that it needs no others."""
    model = replace(MODELS[name], hidden=4, batch=2)
    module = lower_model(model.build(), ON_CUDA).module
    runs = [op for op in module.walk() if isinstance(op, RunOp) and op.at]
    for run in runs:
        assert run.last == 1
        at_once = run_body(module, run, [(0, model.steps)])
        one_by_one = run_body(module, run, [(step, 1) for step in range(model.steps)])
        for found, wanted in zip(at_once, one_by_one, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_a_chain_is_one_launch_of_words() -> None:
    lowered = lower_model(lstm_model(3, 4, hidden=64), ON_CUDA)
    first, *rest = [op for op in lowered.module.walk() if isinstance(op, LaunchOp)]
    groups = [op for op in first.walk() if isinstance(op, GroupOp)]
    assert len(groups) == 3
    assert [group.first for group in groups[1:]] == [group.last for group in groups[:-1]], "side by side"
    assert not any(isinstance(op, GroupOp) for launch in rest for op in launch.walk())
    buffers = [op for op in lowered.module.walk() if isinstance(op, BufferOp)]
    words = [op for op in buffers if memory_space(op.result) is MemorySpace.WORDS]
    assert len(words) == 3, "the states of each layer"
    image, _ = lowered.encode()
    runs = image.instructions[image.instructions[:, 0] == Opcode.RUN]
    assert (runs[:, 7] == 4).sum() == groups[-1].last, "each vEU has one run of all steps"
    assert not (image.instructions[:, 0] == Opcode.FOR).any()


def test_the_benchmark_fits_and_compiles() -> None:
    """Ten layers of 256 units, here of two steps, on 13 vEUs each: what a body saves for its caller, and no more."""
    lowered = lower_model(lstm_model(10, 2, hidden=256), ON_CUDA)
    launch = next(op for op in lowered.module.walk() if isinstance(op, LaunchOp))
    assert (launch.veus, launch.pinned_bytes) == (130, 4 * 4 * 20 * 256)
    image, _ = lowered.encode()
    built = build(image, "sm_90a", CompileCache())
    assert max(function.spill_stores for function in built.functions.values()) <= 96


def lowers_as(lowered: LoweredModel) -> tuple[int, int]:
    return count(lowered.module, GroupOp), count(lowered.module, LaunchOp)


def test_what_does_not_fit_is_as_persistent() -> None:
    """More layers than vEUs, weights beyond the chip, and a candidate that needs the state twice in a step."""
    assert lowers_as(lower_model(replace(LSTM, layers=3).build(), ON_HOST)) == (0, 1)
    assert lowers_as(lower_model(lstm_model(1, 2, hidden=256), "set-device{device=h100 veus=4},resident")) == (0, 1)
    gru = RecurrentModel("GRU", layers=2)
    assert lowers_as(lower_model(gru.build(), ON_HOST)) == (0, 1)
    inputs = inputs_of(gru)
    assert_close(run_compiled(gru.build(), inputs, "resident"), run_onnxruntime(gru.build(), inputs))


def test_models_without_recurrences() -> None:
    model = SMALL_MODELS["mlp"]()
    inputs = small_inputs(model)
    assert_close(run_compiled(model, inputs, "resident"), run_onnxruntime(model, inputs))


@settings(max_examples=6, deadline=None)
@given(
    st.sampled_from(["LSTM", "RNN", "GRU"]),
    st.integers(1, 2),
    st.integers(1, 4),
    st.integers(2, 21),
    st.integers(2, 9),
    st.integers(1, 4),
    st.booleans(),
)
def test_any_sizes(kind: str, layers: int, steps: int, hidden: int, inputs: int, batch: int, starts: bool) -> None:
    """Whether resident or not, the program computes what the model means."""
    model = RecurrentModel(kind, layers, steps, hidden, inputs, batch, starts=starts, resets_product=kind == "GRU")
    built, given_ = model.build(), inputs_of(model)
    lowered = lower_model(built, ON_CUDA)
    assert_close(
        {"y": run_module(lowered.module, given_, lowered.weights)[0]},
        {"y": run_onnxruntime(built, given_)[f"y{layers - 1}"]},
    )
