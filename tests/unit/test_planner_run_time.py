"""How long `rammer train-plan` should take."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rammer_ir.planner.api import estimate_plan
from rammer_ir.planner.cluster import Cluster
from rammer_ir.planner.latency import Candidate, Stage
from rammer_ir.planner.profile import Layer, Profile
from rammer_ir.planner.run_time import BUCKET_BYTES, exposed_all_reduce, run_times
from rammer_ir.planner.simulator import PipelineTimes, Warmup, simulated_length, warmup_depths
from rammer_ir.planner.states import States, model_states

CLUSTER = Cluster((4,), nvlink=1e9, reduce=1e9)
TOTAL = 2e8


def chain(sizes: list[float], forward: float = 1.0, backward: float = 2.0) -> States:
    layers = tuple(Layer(f"n{i}", "Linear", forward, backward, 8.0, size) for i, size in enumerate(sizes))
    return model_states(Profile(layers, tuple((i, i + 1) for i in range(len(sizes) - 1))))


def whole(devices: int, micro_batches: int = 1) -> Candidate:
    return Candidate(1.0, (Stage(0, 3, devices, tuple(range(devices))),), 1, micro_batches)


def run_seconds(states: list[States], cluster: Cluster, plan: Candidate) -> dict[Warmup, float]:
    return run_times(states, cluster, plan).seconds(plan.micro_batches)


def exposed(sizes: list[float], seconds: list[float], per_byte: float = 1e-9) -> float:
    return exposed_all_reduce(np.array(sizes), np.array(seconds), per_byte)


def test_gradients_of_late_layers_travel_first() -> None:
    assert exposed([0.0, TOTAL], [1.0, 1.0]) == pytest.approx(0)
    assert exposed([TOTAL, 0.0], [1.0, 1.0]) == pytest.approx(TOTAL * 1e-9)
    assert exposed([0.0, TOTAL], [0.05, 1.0]) == pytest.approx(0.15)


def test_gradients_wait_for_a_full_bucket() -> None:
    half = BUCKET_BYTES / 2
    assert exposed([half, half], [1.0, 1.0], 1e-7) == pytest.approx(2.5), "both leave when the first layer is done"
    assert exposed([half, 2 * half], [1.0, 1.0], 1e-7) == pytest.approx(2.5 - 1 + 1.25)


@given(
    layers=st.lists(st.tuples(st.floats(0, 1e8), st.floats(0, 1)), min_size=1, max_size=8), per_byte=st.floats(0, 1e-7)
)
def test_bounds(layers: list[tuple[float, float]], per_byte: float) -> None:
    sizes, seconds = map(list, zip(*layers, strict=True))
    found = exposed(sizes, seconds, per_byte)
    total = sum(sizes) * per_byte
    assert max(0.0, total - sum(seconds)) - 1e-9 <= found <= total + 1e-9


def test_data_parallelism() -> None:
    states = chain([0.0, 0.0, 0.0, TOTAL])
    assert run_seconds([states], CLUSTER, whole(1))["A"] == pytest.approx(12)
    assert run_seconds([states], CLUSTER, whole(4))["A"] == pytest.approx(3), "hidden behind the other layers"
    late = chain([TOTAL, 0.0, 0.0, 0.0])
    assert run_seconds([late], CLUSTER, whole(4))["A"] == pytest.approx(3 + 1.5 * TOTAL * 1e-9)
    assert run_seconds([late], CLUSTER, whole(4, 2))["A"] == pytest.approx(3 + 1.5 * TOTAL * 1e-9)


def test_pipeline() -> None:
    states = chain([0.0] * 4)
    stages = Stage(0, 1, 1, (0,)), Stage(2, 3, 1, (1,), recompute=True)
    found = run_seconds([states, states], CLUSTER, Candidate(1.0, stages, 1, 4))
    # A micro-batch keeps a stage busy for 6 / 4 s, and for another 2 / 4 s where the forward pass is done again.
    assert found["A"] == found["B"] == pytest.approx(4 * 2.0 + 1.5, abs=1e-6)
    assert estimate_plan(states, CLUSTER, Candidate(1.0, stages, 1, 4)).run_seconds == pytest.approx(found)


@given(
    times=st.lists(st.tuples(st.floats(0.1, 4), st.floats(0.1, 4)), min_size=1, max_size=5),
    micro_batches=st.integers(1, 9),
)
def test_the_simulator_agrees_where_nothing_is_sent(times: list[tuple[float, float]], micro_batches: int) -> None:
    layers = tuple(Layer(f"n{i}", "Linear", *pair, 0.0, 0.0) for i, pair in enumerate(times))
    states = model_states(Profile(layers, tuple((i, i + 1) for i in range(len(times) - 1))))
    stages = tuple(Stage(i, i, 1, (i,)) for i in range(len(times)))
    found = run_seconds([states] * len(times), Cluster((8,)), Candidate(1.0, stages, 1, micro_batches))
    forward, backward = (tuple(value / micro_batches for value in values) for values in zip(*times, strict=True))
    for policy, seconds in found.items():
        depths = warmup_depths(policy, len(times), micro_batches)
        alone = PipelineTimes(forward, backward, (0.0,) * len(times))
        assert seconds == pytest.approx(simulated_length(alone, micro_batches, depths))


def test_stages_with_times_of_their_own() -> None:
    fast, slow = chain([0.0] * 4), chain([0.0] * 4, 2.0, 4.0)
    stages = Stage(0, 1, 1, (0,)), Stage(2, 3, 1, (1,))
    found = [run_seconds(pair, CLUSTER, Candidate(1.0, stages, 1, 1))["A"] for pair in ([fast, slow], [slow, slow])]
    assert found == pytest.approx([18, 24], abs=1e-6)


def test_slow_links_need_more_warm_up() -> None:
    layers = tuple(Layer(f"n{i}", "Linear", 1.0, 2.0, 8.0, 0.0) for i in range(2))
    states = model_states(Profile(layers, ((0, 1),)))
    stages = Stage(0, 0, 1, (0,)), Stage(1, 1, 1, (1,))
    found = run_seconds([states, states], Cluster((2,), nvlink=4.0), Candidate(1.0, stages, 1, 8))
    assert found["B"] < found["A"] * 0.92
