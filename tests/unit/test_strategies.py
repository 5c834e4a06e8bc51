"""Strategies on small models: what they launch, in any order that they allow, and in how much memory."""

import random
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import onnx
import pytest
from onnx import helper

from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.demo.models import lstm_model
from rammer_ir.dialects.vdevice import BarrierOp, LaunchOp, ProgramOp, RunOp
from rammer_ir.interpreters.interleavings import Interleavings
from rammer_ir.interpreters.module import run_module
from rammer_ir.pipelines import STRATEGIES
from rammer_ir.runtime.launch_graph import launch_graph
from rammer_ir.scheduling.lifetimes import live_bytes
from rammer_ir.scheduling.program_form import programs_of, read_program
from rammer_ir.scheduling.stages import Stage, stage_order, stages_of
from rammer_ir.testing.lowered_models import LoweredModel, lower_model
from rammer_ir.testing.onnx_models import graph_model
from rammer_ir.testing.small_models import convolution_model, small_inputs

LAYERS, STEPS = 3, 5


def branches_model(branches: int = 3, length: int = 2) -> onnx.ModelProto:
    """Chains of convolutions on one input, side by side, joined by a sum; images of 4 channels and 10 x 10 pixels."""
    generator = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, np.ndarray] = {}
    for branch in range(branches):
        value = "x"
        for layer in range(length + branch):
            name = f"conv{branch}{layer}"
            constants[f"{name}_w"] = generator.standard_normal((4, 4, 3, 3)).astype(np.float32) / 6
            nodes.append(helper.make_node("Conv", [value, f"{name}_w"], [name], name, pads=[1, 1, 1, 1]))
            value = name
        nodes.append(helper.make_node("Relu", [value], [f"end{branch}"], f"relu{branch}"))
    nodes.append(helper.make_node("Sum", [f"end{branch}" for branch in range(branches)], ["y"], "sum"))
    return graph_model(nodes, {"x": np.zeros((1, 4, 10, 10), np.float32)}, ["y"], constants=constants, opset=21)


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "branches": branches_model,
    "convolutions": convolution_model,
    "lstm": lambda: lstm_model(LAYERS, STEPS, hidden=24),
}


@cache
def lowered_model(name: str, strategy: str) -> LoweredModel:
    return lower_model(MODELS[name](), f"set-device{{device=host veus=3}},{strategy}")


def launches_of(lowered: LoweredModel) -> list[LaunchOp]:
    return [op for op in lowered.module.walk() if isinstance(op, LaunchOp)]


def test_waves_cut_through_the_layers_of_a_recurrence() -> None:
    """A launch before and after it; a step is a wave after the one before, and two after that of the layer before."""
    launches = launches_of(lowered_model("lstm", "wave"))
    assert len(launches) == 1 + STEPS + 2 * (LAYERS - 1) + 1
    runs = [sum(isinstance(op, RunOp) for op in launch.walk()) for launch in launches]
    assert max(runs[1:]) > LAYERS
    assert all(launch.veus <= 3 for launch in launches)


def test_branches_are_parallel_nodes_of_the_graph() -> None:
    image, _ = lowered_model("branches", "graph").encode()
    graph = launch_graph(image, [])
    roots = [node for node in graph if not node.after]
    assert len(roots) == 3
    assert len(graph[-1].after) == 3
    assert not any(launch.is_cooperative for launch in image.launches)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("strategy", ["wave", "graph"])
def test_launches_in_any_order_that_is_asked_for(name: str, strategy: str) -> None:
    """Buffers that share bytes, and rows that are written in place, hold what is wanted whatever launch comes first."""
    model = MODELS[name]()
    lowered = lowered_model(name, strategy)
    (program,) = programs_of(lowered.module)
    stages = stages_of(program)
    inputs = small_inputs(model)
    expected = run_onnxruntime(model, inputs)
    for seed in range(3):
        put_in_order(program, [stages[number] for number in random_order(stages, seed)])
        results = run_module(lowered.module, inputs, lowered.weights)
        assert compare(dict(zip(expected, results, strict=True)), expected).largest_error < 1e-5
    put_in_order(program, stages)


@pytest.mark.parametrize("name", MODELS)
def test_events_allow_no_order_that_changes_anything(name: str) -> None:
    lowered = lowered_model(name, "events")
    waits = [op for op in lowered.module.walk() if isinstance(op, RunOp) and op.waits]
    barriers = [op for op in lowered.module.walk() if isinstance(op, BarrierOp)]
    if name == "lstm":
        assert barriers
    else:
        assert waits
        assert not barriers
    assert Interleavings(lowered.module).search(seed=1) is None


def random_order(stages: Sequence[Stage], seed: int) -> Sequence[int]:
    """Another order of the stages that their tokens allow."""
    waiting = {number: set(before) for number, before in enumerate(stage_order(stages))}
    chosen: list[int] = []
    generator = random.Random(seed)
    while waiting:
        ready = [number for number, before in waiting.items() if before <= set(chosen)]
        chosen.append(generator.choice(ready))
        del waiting[chosen[-1]]
    return chosen


def put_in_order(program: ProgramOp, stages: Sequence[Stage]) -> None:
    for stage in stages:
        stage.detach()
        program.body.block.add_op(stage)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_arenas_are_hardly_larger_than_what_is_live(name: str, strategy: str) -> None:
    lowered = lowered_model(name, strategy)
    (program,) = programs_of(lowered.module)
    live = live_bytes(read_program(lowered.module, program))
    assert 0 < live <= (program.arena_bytes or 0) <= 1.2 * live
