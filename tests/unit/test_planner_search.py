"""The searches: against the answers of HPGO 0.9.2, all plans of small problems, and the paper's tables."""

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rammer_ir.errors import InvalidInputError
from rammer_ir.planner import Plan, Request, plan, plan_sweep
from rammer_ir.planner.best import plan_best
from rammer_ir.planner.cluster import POLICIES, Cluster, Devices, Occupancy
from rammer_ir.planner.dapple import phase_length, plan_dapple
from rammer_ir.planner.data_parallel import data_parallel
from rammer_ir.planner.hpgo import plan_hpgo
from rammer_ir.planner.memory import MemoryModel
from rammer_ir.planner.problem import Problem
from rammer_ir.planner.profile import read_profile
from rammer_ir.planner.states import States, model_states

PROFILES = Path(__file__).parents[3] / "shared" / "data" / "dapple_profiles"
needs_profiles = pytest.mark.skipif(not PROFILES.is_dir(), reason="the profiles of ../shared/data are not there")
FLAT = tuple(range(1, 17))


def chain(layers: list[tuple[float, float, float, float]]) -> States:
    """States of a chain of layers of forward and backward seconds, activation bytes (also sent) and parameter bytes."""
    values = np.array(layers)
    forward, backward, activations, parameters = np.cumsum(values, axis=0).T
    size = len(layers)
    return States(
        tuple(f"layer {i}" for i in range(size)),
        forward + backward,
        forward,
        activations,
        parameters,
        values[:, 2].copy(),
        np.tri(size, k=-1, dtype=np.bool_),
    )


def states_of(file: str) -> States:
    return model_states(read_profile(PROFILES / file))


def test_links() -> None:
    cluster = Cluster((8, 16))
    assert cluster.all_reduce(range(8)) * 1e9 == pytest.approx(0.0175)
    assert cluster.all_reduce(range(1, 9)) * 1e9 == pytest.approx(0.58333, abs=1e-5)
    assert cluster.all_reduce([3]) == 0
    assert cluster.transfer([0, 1, 2, 3], [4, 5, 6, 7]) * 1e9 == pytest.approx(0.04)
    assert cluster.transfer([0, 1, 8, 9], [10, 11, 12, 13]) * 1e9 == pytest.approx(0.5)
    assert cluster.transfer([0], [7, 8]) * 1e9 == pytest.approx(1 / 3)
    assert not cluster.crosses(range(8))
    assert cluster.crosses([7, 8])


def test_placements() -> None:
    cluster = Cluster((2, 6))
    assert cluster.place((1, 0), 3, "fresh") == ((2, 3, 4), (1, 3))
    assert cluster.place((1, 0), 5, "fresh") is None
    assert cluster.place((1, 0), 1, "append") == ((1,), (2, 0))
    assert cluster.place((0, 0), 1, "append") is None
    assert cluster.place((0, 0), 5, "scatter") == ((0, 1, 2, 3, 4), (2, 3))
    assert cluster.place((1, 0), 3, "fill") == ((1, 2, 3), (2, 2))
    assert cluster.placements((0, 0), 6) == [((0, 1, 2, 3, 4, 5), (2, 4))]


@pytest.mark.parametrize("ends", [(), (0,), (4, 4), (8, 4)])
def test_wrong_devices(ends: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInputError, match="8,16"):
        Cluster(ends)


# What the package HPGO 0.9.2 (Python 3.7) answers for this profile, profile batch, global batch and machines.
HPGO: list[tuple[str, int, int, tuple[int, ...], float]] = [
    ("dapple/xlnet-36-pbs-1.txt", 1, 128, (8, 16), 14.816194280556266),
    ("dapple/vgg-19-pbs-32.txt", 32, 2048, (8, 16), 14.695461185965597),
    ("hpgo/bert_48__graph.txt", 2, 64, (8, 16), 14.035255556620069),
    ("dapple/amoeba-36-pbs-1.txt", 1, 128, (8, 16), 11.875863950220596),
    ("dapple/xlnet-24-pbs-1.txt", 1, 64, (8, 16), 12.580770180021455),
    ("dapple/bert-24-pbs-6.txt", 6, 96, (8, 16), 14.052600160227783),
    ("dapple/amoeba-18-pbs-8.txt", 8, 256, (8, 16), 10.995995655868896),
    ("hpgo/alexnet__graph.txt", 256, 4096, (8, 16), 14.087815513048845),
    ("hpgo/vgg16__graph.txt", 64, 1024, (8, 16), 15.100395995507165),
    ("hpgo/gnmt_32_simplified__graph.txt", 64, 1024, (8, 16), 15.033828550578365),
    ("hpgo/bert_large__graph.txt", 2, 64, (8, 16), 13.977603391481745),
    ("dapple/vgg-19-pbs-32.txt", 32, 2048, (3, 6), 5.724726888136996),
    ("dapple/xlnet-36-pbs-1.txt", 1, 128, (3, 6), 5.767657805115389),
    ("hpgo/bert_48__graph.txt", 2, 64, (3, 6), 5.647884895105509),
    ("dapple/amoeba-36-pbs-1.txt", 1, 128, (3, 6), 5.616095044596609),
    ("dapple/xlnet-24-pbs-1.txt", 1, 64, (3, 6), 5.5538749669867),
    ("dapple/amoeba-18-pbs-8.txt", 8, 256, (3, 6), 5.7471738418201745),
    ("hpgo/alexnet__graph.txt", 256, 4096, (3, 6), 5.4660084182197215),
    ("hpgo/vgg16__graph.txt", 64, 1024, (3, 6), 5.39440452781087),
    ("hpgo/resnet18__graph.txt", 64, 1024, (3, 6), 5.867016893745883),
    ("hpgo/bert_large__graph.txt", 2, 64, (3, 6), 5.6321223217587955),
    ("dapple/vgg-19-pbs-32.txt", 32, 2048, (5,), 4.943378665159289),
    ("dapple/xlnet-36-pbs-1.txt", 1, 128, (5,), 4.81361788764042),
    ("hpgo/bert_48__graph.txt", 2, 64, (5,), 4.65172513348774),
    ("dapple/amoeba-36-pbs-1.txt", 1, 128, (5,), 4.758744744842268),
    ("dapple/xlnet-24-pbs-1.txt", 1, 64, (5,), 4.631163231175321),
    ("dapple/bert-24-pbs-6.txt", 6, 96, (5,), 4.683055168911608),
    ("dapple/amoeba-18-pbs-8.txt", 8, 256, (5,), 4.859272799616332),
    ("hpgo/alexnet__graph.txt", 256, 4096, (5,), 4.856152406481936),
    ("hpgo/vgg16__graph.txt", 64, 1024, (5,), 4.9791384795040425),
    ("hpgo/gnmt_32_simplified__graph.txt", 64, 1024, (5,), 4.785633495164526),
    ("hpgo/resnet18__graph.txt", 64, 1024, (5,), 4.9716297785439725),
    ("hpgo/bert_large__graph.txt", 2, 64, (5,), 4.648972560782871),
    ("dapple/vgg-19-pbs-32.txt", 32, 2048, (2, 8), 7.576050912001235),
    ("dapple/xlnet-36-pbs-1.txt", 1, 128, (2, 8), 7.520472254279545),
    ("dapple/amoeba-36-pbs-1.txt", 1, 128, (2, 8), 7.082063589782012),
    ("dapple/xlnet-24-pbs-1.txt", 1, 64, (2, 8), 7.080052587283339),
    ("dapple/amoeba-18-pbs-8.txt", 8, 256, (2, 8), 7.477310481311646),
    ("hpgo/alexnet__graph.txt", 256, 4096, (2, 8), 7.568760455194165),
    ("hpgo/vgg16__graph.txt", 64, 1024, (2, 8), 7.677744943664222),
    ("hpgo/gnmt_32_simplified__graph.txt", 64, 1024, (2, 8), 7.557325820686699),
    ("hpgo/resnet18__graph.txt", 64, 1024, (2, 8), 7.746987677781582),
    ("dapple/vgg-19-pbs-32.txt", 32, 2048, FLAT, 11.985530150949375),
    ("dapple/xlnet-36-pbs-1.txt", 1, 128, FLAT, 11.93493454385345),
    ("hpgo/bert_48__graph.txt", 2, 64, FLAT, 12.473764740637439),
    ("dapple/amoeba-36-pbs-1.txt", 1, 128, FLAT, 8.108117854076117),
    ("dapple/xlnet-24-pbs-1.txt", 1, 64, FLAT, 9.293572284719916),
    ("dapple/amoeba-18-pbs-8.txt", 8, 256, FLAT, 10.696855488409092),
    ("hpgo/alexnet__graph.txt", 256, 4096, FLAT, 8.668904629268653),
    ("hpgo/vgg16__graph.txt", 64, 1024, FLAT, 14.286717595313974),
    ("hpgo/resnet18__graph.txt", 64, 1024, FLAT, 14.281591761721401),
    ("hpgo/bert_large__graph.txt", 2, 64, FLAT, 10.19192238923757),
]


@needs_profiles
@pytest.mark.parametrize(("file", "profile_batch", "global_batch", "ends", "speedup"), HPGO)
def test_hpgo(file: str, profile_batch: int, global_batch: int, ends: tuple[int, ...], speedup: float) -> None:
    states = states_of(file).scaled(global_batch / profile_batch)
    cluster = Cluster(ends)
    found = plan_hpgo(states, cluster, global_batch, 1)
    assert found.speedup == pytest.approx(speedup, abs=1e-9)
    best = plan_best(Problem(states, cluster, global_batch, 1, MemoryModel(math.inf, 1, 1)), found)
    assert best.candidate is not None
    assert best.candidate.speedup >= speedup - 1e-9


# Where HPGO breaks ties by the order of a hash table, its answer may be any from this one on.
TIES: list[tuple[str, int, int, tuple[int, ...], float]] = [
    ("dapple/bert-24-pbs-6.txt", 6, 96, (2, 4), 3.862124847554556),
    ("hpgo/gnmt_32_simplified__graph.txt", 64, 1024, (2, 4), 3.873590912128976),
    ("hpgo/gnmt_32_simplified__graph.txt", 64, 1024, (4,), 3.8747099499973827),
    ("dapple/bert-24-pbs-6.txt", 6, 96, (3, 6), 5.665768178469649),
    ("hpgo/gnmt_32_simplified__graph.txt", 64, 1024, (3, 6), 5.6718514615766695),
    ("hpgo/bert_48__graph.txt", 2, 64, (2, 8), 7.175769498744319),
    ("dapple/bert-24-pbs-6.txt", 6, 96, (2, 8), 7.39104855874573),
    ("hpgo/bert_large__graph.txt", 2, 64, (2, 8), 7.141475334711011),
    ("dapple/bert-24-pbs-6.txt", 6, 96, FLAT, 10.216926497273313),
    ("hpgo/gnmt_32_simplified__graph.txt", 64, 1024, FLAT, 8.466291777770095),
]


@needs_profiles
@pytest.mark.parametrize(("file", "profile_batch", "global_batch", "ends", "speedup"), TIES)
def test_hpgo_ties(file: str, profile_batch: int, global_batch: int, ends: tuple[int, ...], speedup: float) -> None:
    states = states_of(file).scaled(global_batch / profile_batch)
    found = plan_hpgo(states, Cluster(ends), global_batch, 1).speedup
    assert speedup - 1e-9 <= found <= speedup * 1.01


@needs_profiles
def test_hpgo_cuts_xlnet_at_state_22() -> None:
    found = plan(PROFILES / "dapple/xlnet-36-pbs-1.txt", 1, 128, (8, 16), policy="hpgo")
    assert [(stage.first, stage.last) for stage in found.stages] == [(0, 21), (22, 40)]
    assert [stage.devices for stage in found.stages] == [tuple(range(8)), tuple(range(8, 16))]


@needs_profiles
@pytest.mark.parametrize("policy", ["hpgo", "dapple", "best"])
@pytest.mark.parametrize("ends", [(1,), (2,), (3,), (7,), (2, 8), (26, 28)])
def test_odd_layouts_are_answered(policy: str, ends: tuple[int, ...]) -> None:
    found = plan(PROFILES / "dapple/vgg-19-pbs-32.txt", 32, 64, ends, policy=policy)  # pyright: ignore[reportArgumentType]
    _check_plan(found, Cluster(ends))
    if ends == (1,):
        assert found.speedup == pytest.approx(1)


def _check_plan(found: Plan, cluster: Cluster) -> None:
    """Stages cover the model in order, on devices of their own."""
    assert found.stages[0].first == 0
    assert found.stages[-1].last == len(found.states) - 1
    assert all(a.last + 1 == b.first for a, b in itertools.pairwise(found.stages))
    used = [device for stage in found.stages for device in stage.devices]
    assert len(set(used)) == len(used)
    assert set(used) <= set(range(cluster.size))
    assert all(len(stage.devices) == stage.replicas * found.pipelines for stage in found.stages)
    assert 0 < found.speedup <= cluster.size * (1 + 1e-9)


LAYERS = st.tuples(st.floats(0.1, 3), st.floats(0.1, 3), st.floats(1e6, 4e9), st.floats(0, 4e9))


def _every_plan(
    states: States, cluster: Cluster, pipelines: int, most_stages: int
) -> Iterator[tuple[tuple[int, int, Devices], ...]]:
    def further(first: int, taken: Occupancy, left: int) -> Iterator[tuple[tuple[int, int, Devices], ...]]:
        for count in range(pipelines, left + 1, pipelines):
            for devices, now in cluster.placements(taken, count, POLICIES):
                yield ((first, len(states) - 1, devices),)
                for last in range(first, len(states) - 1):
                    for rest in further(last + 1, now, left - count):
                        yield ((first, last, devices), *rest)

    for stages in further(0, cluster.empty, cluster.size // pipelines * pipelines):
        if len(stages) <= most_stages:
            yield stages


def _length(
    states: States,
    cluster: Cluster,
    memory: MemoryModel,
    batch: int,
    stages: tuple[tuple[int, int, Devices], ...],
    pipelines: int,
    micro_batches: int,
) -> float:
    """HPGO's estimate in plain arithmetic, with recomputation where a stage does not fit; infinite where none helps."""

    def span(values: np.ndarray, first: int, last: int) -> float:
        return float(values[last]) - (float(values[first - 1]) if first else 0.0)

    slowest, fill, exposed = 0.0, float(states.compute[-1]), 0.0
    reductions: list[float] = []
    for number, (first, last, devices) in enumerate(stages):
        work = span(states.compute, first, last)
        samples = math.ceil(batch / micro_batches / len(devices) - 1e-9)
        in_flight = min(len(stages) - number, micro_batches)
        weights = span(states.parameters, first, last) * memory.optimizer_scaling
        full = memory.peak_activation * span(states.activations, first, last) / float(states.activations[-1]) * samples
        if weights + in_flight * full > memory.limit:
            given = float(states.outputs[first - 1]) / batch * samples if first else 0.0
            if weights + in_flight * given + full > memory.limit:
                return math.inf
            work += span(states.forward, first, last)
            fill += span(states.forward, first, last)
        slowest = max(slowest, work / len(devices))
        if number:
            sent = cluster.transfer(stages[number - 1][2], devices) * float(states.outputs[first - 1])
            slowest = max(slowest, sent)
            fill += sent
        reductions.append(cluster.all_reduce(devices) * span(states.parameters, first, min(last + 1, len(states) - 1)))
    block = slowest / micro_batches
    exposed = max(0.0, *(seconds - number * block for number, seconds in enumerate(reductions)))
    return block * (micro_batches - 1) + fill / (pipelines * micro_batches) + exposed


@settings(max_examples=25)
@given(
    layers=st.lists(LAYERS, min_size=1, max_size=4),
    ends=st.sampled_from([(1,), (2,), (1, 2), (3,), (1, 2, 3)]),
    batch=st.sampled_from([1, 2, 5, 8]),
    limit=st.sampled_from([math.inf, 3e9, 6e9]),
)
def test_no_plan_is_better_than_best(
    layers: list[tuple[float, float, float, float]], ends: tuple[int, ...], batch: int, limit: float
) -> None:
    states, cluster = chain(layers), Cluster(ends)
    memory = MemoryModel(limit, 1.5, float(states.activations[-1]) / batch)
    shortest = math.inf
    for pipelines, micro_batch in itertools.product(range(1, cluster.size + 1), [1, 2, 4, 8]):
        micro_batches = batch // pipelines // micro_batch
        if micro_batches:
            for stages in _every_plan(states, cluster, pipelines, micro_batches):
                length = _length(states, cluster, memory, batch, stages, pipelines, micro_batches)
                shortest = min(shortest, length)
    found = plan_best(Problem(states, cluster, batch, 1, memory), None)
    if found.candidate is None:
        assert math.isinf(shortest)
    else:
        assert float(states.compute[-1]) / found.candidate.speedup == pytest.approx(shortest, rel=1e-12)
    assert found.proved


@settings(max_examples=30)
@given(
    layers=st.lists(LAYERS, min_size=1, max_size=12),
    ends=st.sampled_from([(4,), (4, 8), (2, 4, 6), (5,), (1, 2, 3, 4)]),
    batch=st.sampled_from([4, 32, 100]),
)
def test_best_is_never_worse_than_hpgo(
    layers: list[tuple[float, float, float, float]], ends: tuple[int, ...], batch: int
) -> None:
    states, cluster = chain(layers), Cluster(ends)
    shipped = plan_hpgo(states, cluster, batch, 1)
    found = plan_best(Problem(states, cluster, batch, 1, MemoryModel(math.inf, 1, 1)), shipped, budget=1e6)
    assert found.candidate is not None
    assert found.candidate.speedup >= shipped.speedup * (1 - 1e-12)


@needs_profiles
def test_uneven_stages_are_better() -> None:
    found = plan(PROFILES / "dapple/amoeba-36-pbs-1.txt", 1, 128, FLAT)
    assert found.speedup > 1.4 * 8.108
    assert len({stage.replicas for stage in found.stages}) > 1


@needs_profiles
def test_memory_is_respected() -> None:
    file = PROFILES / "dapple/amoeba-36-pbs-1.txt"
    for limit in (16e9, 6e9):
        found = plan(file, 1, 128, (8, 16), memory=limit, optimizer_memory_scaling=3)
        assert max(found.memory) <= limit
        _check_plan(found, Cluster((8, 16)))
    with pytest.raises(InvalidInputError, match="no plan fits"):
        plan(file, 1, 128, (8, 16), memory=1e8)


def test_recomputation_where_it_pays() -> None:
    """A device holds two micro-batches of 1 GB a layer: two stages of two layers need 4 GB, or with it 2 GB."""
    states = chain([(1, 2, 8e9, 1e6)] * 4)
    memory = MemoryModel(2.6e9, 1, 4e9)
    found = plan_best(Problem(states, Cluster((2,)), 8, 1, memory), None).candidate
    assert found is not None
    assert any(stage.recompute for stage in found.stages)
    free = plan_best(Problem(states, Cluster((2,)), 8, 1, MemoryModel(math.inf, 1, 4e9)), None).candidate
    assert free is not None
    assert not any(stage.recompute for stage in free.stages)
    assert free.speedup > found.speedup


@needs_profiles
def test_a_sweep_is_the_plans_one_by_one() -> None:
    file = PROFILES / "dapple/vgg-19-pbs-32.txt"
    sizes = [32, 256, 2048]
    request = Request(32, Cluster((2, 4)))
    assert plan_sweep(file, request, sizes) == [plan(file, 32, size, (2, 4)) for size in sizes]


@needs_profiles
def test_data_parallel_columns() -> None:
    states = states_of("dapple/vgg-19-pbs-32.txt").scaled(64)
    per_sample = float(states.activations[-1]) / 2048
    found = data_parallel(states, Cluster(FLAT), 2048, per_sample, 16e9, 1)
    reduced = 2 * 15 / 16 / 3e9 * float(states.parameters[-1])
    total = float(states.compute[-1])
    assert found.none == pytest.approx(total / (total / 16 + reduced))
    assert found.p3 is not None
    assert found.overlap is not None
    assert found.none <= found.overlap <= found.p3 <= 16
    small = data_parallel(states, Cluster(FLAT), 2048, per_sample, 1e6, 1)
    assert (small.p3, small.overlap) == (None, None)


@settings(max_examples=100)
@given(st.data())
def test_phases(data: st.DataObject) -> None:
    """Equations 1 to 3 and algorithm 1 as loops."""
    count = data.draw(st.integers(1, 7))
    times = st.lists(st.floats(0, 5), min_size=count, max_size=count)
    forward, backward, reduced = data.draw(times), data.draw(times), data.draw(times)
    micro_batches = data.draw(st.integers(1, 9))
    pivot = count - 1
    for stage in range(count - 2, -1, -1):
        between = sum(forward[s] + backward[s] for s in range(stage + 1, pivot))
        rate = forward[pivot] + backward[pivot]
        if (micro_batches - 1) * (forward[stage] + backward[stage]) > (micro_batches - 1) * rate + between + 1e-9:
            pivot = stage
    ending = max(
        reduced[s] + (sum(backward[s : pivot + 1]) if s <= pivot else -sum(backward[pivot + 1 : s + 1]))
        for s in range(count)
    )
    length = sum(forward[: pivot + 1]) + (micro_batches - 1) * (forward[pivot] + backward[pivot]) + ending
    found = phase_length(np.array(forward), np.array(backward), np.array(reduced), micro_batches)
    assert float(found) == pytest.approx(length, abs=1e-6) or _tied(forward, backward, micro_batches)


def _tied(forward: list[float], backward: list[float], micro_batches: int) -> bool:
    """Whether two choices of the pivot differ by rounding alone."""
    both = [(micro_batches - 1) * (f + b) for f, b in zip(forward, backward, strict=True)]
    sums = [
        sum((forward[s] + backward[s]) for s in range(i + 1, j)) for i in range(len(both)) for j in range(i, len(both))
    ]
    return any(abs(a - b - between) < 1e-6 for a, b in itertools.permutations(both, 2) for between in [0.0, *sums])


def test_zero_stages_in_front_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    times = rng.random((3, 20, 5))
    padded = np.pad(times, ((0, 0), (0, 0), (3, 0)))
    short = phase_length(times[0], times[1], times[2], 4)
    np.testing.assert_allclose(short, phase_length(padded[0], padded[1], padded[2], 4))


@settings(max_examples=25)
@given(
    layers=st.lists(LAYERS, min_size=1, max_size=4),
    ends=st.sampled_from([(2,), (1, 2), (1, 3)]),
    batch=st.sampled_from([1, 4, 16]),
)
def test_dapple_is_between_data_parallel_and_every_plan(
    layers: list[tuple[float, float, float, float]], ends: tuple[int, ...], batch: int
) -> None:
    """The program is greedy on its parts, so it may miss the best plan of three stages, but none of two."""
    states, cluster = chain(layers), Cluster(ends)
    found = plan_dapple(states, cluster, batch, 1)
    total = float(states.compute[-1])
    shortest = math.inf
    for first, taken in [p for n in range(1, cluster.size) for p in cluster.placements(cluster.empty, n)]:
        rest = tuple(sorted(set(range(cluster.size)) - set(first)))
        assert sum(taken) == len(first)
        for cut in range(len(states) - 1):
            shortest = min(shortest, _phases_of_two(states, cluster, batch, cut, first, rest))
    reduced = cluster.all_reduce(range(cluster.size)) * float(states.parameters[-1])
    shortest = min(shortest, total / cluster.size + reduced)
    assert total / found.speedup <= shortest * (1 + 1e-9)


def _phases_of_two(
    states: States, cluster: Cluster, micro_batches: int, cut: int, first: Devices, rest: Devices
) -> float:
    sent = cluster.transfer(first, rest) * float(states.outputs[cut]) / micro_batches
    forward, both = float(states.forward[cut]), float(states.compute[cut])
    ahead, all_of_it = float(states.forward[-1]), float(states.compute[-1])
    shares = len(first) * micro_batches, len(rest) * micro_batches
    forwards = [forward / shares[0], sent, (ahead - forward) / shares[1]]
    backwards = [(both - forward) / shares[0], sent, (all_of_it - ahead - both + forward) / shares[1]]
    parameters = float(states.parameters[cut])
    reduced = [
        cluster.all_reduce(first) * parameters,
        0.0,
        cluster.all_reduce(rest) * (float(states.parameters[-1]) - parameters),
    ]
    return float(phase_length(np.array(forwards), np.array(backwards), np.array(reduced), micro_batches))
