"""What the DAPPLE paper (PPoPP 2021) publishes of its planner: tables 4 and 6, figure 12."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rammer_ir.planner import plan
from rammer_ir.planner.api import estimate_plan
from rammer_ir.planner.cluster import Cluster
from rammer_ir.planner.hpgo import hpgo_candidates
from rammer_ir.planner.latency import Candidate, Stage
from rammer_ir.planner.profile import read_profile
from rammer_ir.planner.states import States, model_states

PROFILES = Path(__file__).parents[3] / "shared" / "data" / "dapple_profiles"
pytestmark = pytest.mark.skipif(not PROFILES.is_dir(), reason="the profiles of ../shared/data are not there")

STRAIGHT = [1] * 16
FLAT = tuple(range(1, 17))
LAYOUTS: dict[str, dict[str, Any]] = {
    "A": {"devices": (8, 16)},
    "B": {"devices": FLAT, "p2p": 25e9 / 8, "nccl": 25e9 / 8},
    "C": {"devices": FLAT, "p2p": 10e9 / 8, "nccl": 10e9 / 8},
}
"""Two servers of eight, 16 servers with 25 Gb/s, 16 servers with 10 Gb/s."""
XLNET_MEMORY = {"optimizer_memory_scaling": 3.0, "peak_activation": 1.5 * 3942774528}
MODELS: dict[str, tuple[str, int, int, dict[str, Any]]] = {
    "ResNet-50": ("hpgo/resnet50__graph.txt", 128, 2048, {}),
    "VGG-19": ("dapple/vgg-19-pbs-32.txt", 32, 2048, {}),
    "GNMT-16": ("dapple/gnmt-16-pbs-64.txt", 64, 1024, {}),
    "BERT-48": ("hpgo/bert_48__graph.txt", 2, 64, {}),
    "XLNet-36": ("dapple/xlnet-36-pbs-1.txt", 1, 128, XLNET_MEMORY),
    "AmoebaNet-36": ("dapple/amoeba-36-pbs-1.txt", 1, 128, {}),
}

# Not as printed: VGG-19 on A (15:1, which is 0.6 % faster than the table's DP by the estimate), and GNMT-16 and
# AmoebaNet-36 on B (straight, where the table has 8:8 and 11:5).
TABLE_4: list[tuple[str, str, list[int] | None]] = [
    ("ResNet-50", "A", None),
    ("ResNet-50", "B", None),
    ("ResNet-50", "C", None),
    ("VGG-19", "B", None),
    ("VGG-19", "C", [15, 1]),
    ("GNMT-16", "A", [8, 8]),
    ("GNMT-16", "C", STRAIGHT),
    ("BERT-48", "A", [8, 8]),
    ("BERT-48", "B", STRAIGHT),
    ("BERT-48", "C", STRAIGHT),
    ("XLNet-36", "A", [8, 8]),
    ("XLNet-36", "B", [8, 8]),
    ("XLNet-36", "C", STRAIGHT),
    ("AmoebaNet-36", "A", [8, 8]),
    ("AmoebaNet-36", "C", [11, 5]),
]
"""Devices of each stage; None is data parallelism."""


@pytest.mark.parametrize(("model", "layout", "expected"), TABLE_4)
def test_table_4(model: str, layout: str, expected: list[int] | None) -> None:
    """The faster one of the best hybrid and data parallelism with normal overlap, which AmoebaNet has no memory for."""
    file, profile_batch, global_batch, memory = MODELS[model]
    arguments = LAYOUTS[layout] | memory
    found = plan(PROFILES / file, profile_batch, global_batch, policy="hpgo", **arguments)
    overlap = 0.0 if model == "AmoebaNet-36" else found.data_parallel.overlap or 0.0
    assert (overlap > found.speedup) == (expected is None)
    if expected is not None:
        assert [len(stage.devices) for stage in found.stages] == expected


@pytest.mark.parametrize(("model", "expected"), [("ResNet-50", [16]), ("BERT-48", [8, 8])])
def test_table_4_by_the_formulas(model: str, expected: list[int]) -> None:
    """The paper's own formulation, where no plan of another shape is faster by it."""
    file, profile_batch, global_batch, _ = MODELS[model]
    found = plan(PROFILES / file, profile_batch, global_batch, (8, 16), policy="dapple")
    assert [len(stage.devices) for stage in found.stages] == expected


Part = tuple[int, int, Iterable[int]]

TABLE_6: dict[str, tuple[str, int, int, list[Part], list[Part] | None]] = {
    "VGG-19": (
        "dapple/vgg-19-pbs-32.txt",
        32,
        1024,
        [(0, 15, range(14)), (16, 24, range(14, 16))],
        [(0, 10, range(8)), (11, 16, range(8, 14)), (17, 18, [14]), (19, 24, [15])],
    ),
    "BERT-Large": (
        "hpgo/bert_large__graph.txt",
        2,
        128,
        [(0, 12, range(8)), (13, 25, range(8, 16))],
        [
            (0, 3, [0, 1]),
            (4, 12, range(2, 8)),
            (13, 15, [8, 9]),
            (16, 18, [10, 11]),
            (19, 21, [12, 13]),
            (22, 25, [14, 15]),
        ],
    ),
    "AmoebaNet-36": ("dapple/amoeba-36-pbs-1.txt", 1, 128, [(0, 29, range(8)), (30, 42, range(8, 16))], None),
    "XLNet-36": ("dapple/xlnet-36-pbs-1.txt", 1, 128, [(0, 21, range(8)), (22, 40, range(8, 16))], None),
}
"""
States and devices of DAPPLE's and of PipeDream's stages; None is a stage on each device.

The table counts the input as a layer.
"""


def stages_of(parts: list[Part]) -> tuple[Stage, ...]:
    found: list[Stage] = []
    for first, last, members in parts:
        devices = tuple(members)
        found.append(Stage(first, last, len(devices), devices))
    return tuple(found)


@pytest.mark.parametrize("model", TABLE_6)
def test_table_6(model: str) -> None:
    file, profile_batch, global_batch, expected, _ = TABLE_6[model]
    found = plan(PROFILES / file, profile_batch, global_batch, (8, 16), policy="hpgo")
    assert [(stage.first, stage.last, stage.devices) for stage in found.stages] == [
        (stage.first, stage.last, stage.devices) for stage in stages_of(expected)
    ]


def simulated(states: States, stages: tuple[Stage, ...], micro_batches: int) -> float:
    return estimate_plan(states, Cluster((8, 16)), Candidate(1.0, stages, 1, micro_batches)).simulated_seconds


def test_figure_12() -> None:
    """By the simulator, DAPPLE's strategies beat PipeDream's, by at most the 3.23 that the paper names."""
    ratios: dict[str, float] = {}
    for model, (file, profile_batch, global_batch, ours, theirs) in TABLE_6.items():
        states = model_states(read_profile(PROFILES / file)).scaled(global_batch / profile_batch)
        candidates = hpgo_candidates(states, Cluster((8, 16)), global_batch, 1)
        straight = next(plan.stages for plan in candidates if len(plan.stages) == 16)
        other = straight if theirs is None else stages_of(theirs)
        ratios[model] = simulated(states, other, global_batch) / simulated(states, stages_of(ours), global_batch)
    assert min(ratios.values()) > 1
    assert max(ratios, key=lambda model: ratios[model]) == "VGG-19"
    assert ratios["VGG-19"] == pytest.approx(3.23, rel=0.03)
