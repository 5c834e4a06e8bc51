"""Plans that are run: gradients are those of one process, and a process that ends takes the others with it."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest

from rammer_ir.cli.rammer import main

PROGRAMS = Path(__file__).parents[1] / "programs" / "training"
MODEL = f"{PROGRAMS / 'branches.py'}:make_model"
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")

PLANS: dict[str, tuple[list[int], list[int], dict[str, Any]]] = {
    "even": ([2, 2], [4], {}),
    "uneven": ([3, 1], [7], {"micro_batches": 2, "batch": 14}),
    "uneven_behind": ([1, 3], [2], {"batch": 16}),
    "straight": ([1, 1, 1, 1], [1, 3, 6], {}),
    "data_parallel": ([4], [], {"micro_batches": 1}),
    "data_parallel_in_parts": ([4], [], {"micro_batches": 3, "batch": 13}),
    "pipelines": ([1, 1], [5], {"pipelines": 2}),
    "recompute": ([2, 2], [6], {"recompute": True}),
    "few_rows": ([3, 1], [3], {"micro_batches": 8, "batch": 10}),
}
"""Replicas of each stage, the last state of each but the last, and what is not as usual."""


def write_plan(
    path: Path,
    names: list[str],
    replicas: list[int],
    ends: list[int],
    *,
    micro_batches: int = 4,
    batch: int = 12,
    pipelines: int = 1,
    recompute: bool = False,
) -> None:
    devices = [0, *accumulate(count * pipelines for count in replicas)]
    cuts = [-1, *ends, len(names) - 1]
    stages = [
        {
            "first": cuts[number] + 1,
            "last": cuts[number + 1],
            "replicas": count,
            "devices": list(range(first, end)),
            "recompute": recompute,
        }
        for number, (count, (first, end)) in enumerate(zip(replicas, pairwise(devices), strict=True))
    ]
    plan = {"stages": stages, "pipelines": pipelines, "micro_batches": micro_batches, "global_batch": batch}
    estimate = {"run_seconds": {"A": 1.0, "B": 1.0}, "receives_ahead": len(replicas) == 2}
    path.write_text(json.dumps({**plan, "states": names, "estimate": estimate}), encoding="utf-8")


def state_names() -> list[str]:
    from rammer_ir.planner.states import model_states
    from rammer_ir.training.layers import trace_layers
    from rammer_ir.training.model_file import load_model

    graph = trace_layers(load_model(MODEL))
    return list(model_states(graph.profile([(0.0, 0.0, 0.0, 0.0)] * len(graph.layers))).names)


def start(rank: int, ranks: int, port: int, *command: str, **environment: str) -> "subprocess.Popen[str]":
    """A process as torchrun starts it, but which nobody ends when another does."""
    given = {"RANK": rank, "WORLD_SIZE": ranks, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return subprocess.Popen(
        [sys.executable, *command],
        env={
            **os.environ,
            **{name: str(value) for name, value in given.items()},
            "OMP_NUM_THREADS": "1",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def saved_by(file: Path, rank: int) -> tuple[float, dict[str, Any]]:
    """A rank's part of the loss, and its gradients."""
    from rammer_ir.training.torch_extra import import_torch

    return import_torch().load(file.with_suffix(f".{rank}.pt"))


@needs_torch
def test_gradients_are_those_of_one_process(tmp_path: Path) -> None:
    from rammer_ir.training.model_file import load_model

    names = state_names()
    files = [tmp_path / f"{name}.json" for name in PLANS]
    for file, (replicas, ends, more) in zip(files, PLANS.values(), strict=True):
        write_plan(file, names, replicas, ends, **more)
    port = free_port()
    script = str(PROGRAMS / "save_gradients.py")
    running = [start(rank, 4, port, script, MODEL, *map(str, files)) for rank in range(4)]
    printed = [process.communicate(timeout=240) for process in running]
    assert [process.returncode for process in running] == [0] * 4, printed
    for file in files:
        plan = json.loads(file.read_text(encoding="utf-8"))
        model = load_model(MODEL)
        inputs, targets = model.inputs(plan["global_batch"], 0)
        loss = model.loss(model.module(*inputs), targets)
        loss.backward()
        saved = [saved_by(file, rank) for rank in range(4)]
        assert sum(part for part, _ in saved) == pytest.approx(float(loss.detach()), abs=1e-6)
        seen: set[str] = set()
        for number, stage in enumerate(plan["stages"]):
            for rank in map(int, stage["devices"]):
                seen.update(saved[rank][1])
                for name, gradient in saved[rank][1].items():
                    expected = model.module.get_parameter(name).grad
                    difference = float((gradient - expected).abs().max())
                    assert difference < 1e-6, f"{file.stem}: stage {number}, rank {rank}, {name}: {difference}"
        assert seen == {name for name, _ in model.module.named_parameters()}


@needs_torch
@pytest.mark.parametrize("dies", [0, 2])
def test_a_rank_that_dies_ends_the_others(tmp_path: Path, dies: int) -> None:
    plan = tmp_path / "plan.json"
    write_plan(plan, state_names(), [2, 1], [4])
    port = free_port()
    command = [
        "-m",
        "rammer_ir.cli.rammer",
        "train-plan",
        str(plan),
        f"{PROGRAMS / 'dies.py'}:make_model",
        "--steps=99",
    ]
    running = [start(rank, 3, port, *command, DIES=str(dies)) for rank in range(3)]
    assert running[dies].wait(timeout=200) == 3
    since = time.monotonic()
    others = [process for rank, process in enumerate(running) if rank != dies]
    printed = [process.communicate(timeout=30)[1] for process in others]
    assert time.monotonic() - since < 20
    assert all(process.returncode == 1 for process in others)
    running[dies].communicate()
    for text in printed:
        assert f"rank {dies}" in text.splitlines()[-1], text
        assert "error" in text.splitlines()[-1]


@needs_torch
def test_the_plan_has_to_be_of_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = state_names()
    names[2] = "another layer"
    write_plan(tmp_path / "plan.json", names, [1, 1], [4])
    assert main(["train-plan", str(tmp_path / "plan.json"), MODEL]) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "'another layer' as state 2" in printed


@needs_torch
@pytest.mark.parametrize(("option", "words"), [("--steps=0", "steps have to be"), ("--depth=0", "depth of 0")])
def test_wrong_options_start_no_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, words: str
) -> None:
    write_plan(tmp_path / "plan.json", state_names(), [1, 1], [5])
    assert main(["train-plan", str(tmp_path / "plan.json"), MODEL, option]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("rammer: error: ")
    assert words in printed
    assert printed.count("\n") == 1


@needs_torch
def test_stages_must_not_share_parameters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "tied.py"
    model.write_text(
        "import torch\n"
        "def make_model():\n"
        "  one, two = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)\n"
        "  two.weight = one.weight\n"
        "  return torch.nn.Sequential(one, two), lambda n, s: (torch.ones(n, 4),) * 2, torch.nn.functional.mse_loss\n",
        encoding="utf-8",
    )
    for ends, refused in (([0], True), ([1], False)):
        write_plan(tmp_path / "plan.json", ["Linear(_0)", "Linear(_1)", "loss"], [1, 1], ends)
        given = ["train-plan", str(tmp_path / "plan.json"), f"{model}:make_model", "--steps=1"]
        assert main(given) == int(refused)
        assert ("share the parameter 0.weight (as 1.weight)" in capsys.readouterr().err) == refused


def test_program_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_plan(tmp_path / "plan.json", list("abcd"), [3, 1], [1], micro_batches=2, batch=12)
    assert main(["train-plan", str(tmp_path / "plan.json"), "--print-program"]) == 0
    printed = capsys.readouterr().out
    assert "pipeline_parallel.send activation 1 rows [8, 10] to 3" in printed
    assert main(["train-plan", str(tmp_path / "plan.json")]) == 1
    assert "which model?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stages": []}, "devices of its own"),
        ({"states": ["a"]}, "states in order"),
        ({"pipelines": 2}, "for each replica"),
        ({"micro_batches": 99}, "micro-batches"),
        ({"global_batch": "many"}, "not a plan"),
        ({"estimate": None}, "not a plan"),
    ],
)
def test_plans_that_cannot_be_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], words: str
) -> None:
    path = tmp_path / "plan.json"
    write_plan(path, list("abcd"), [1, 1], [1])
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    assert main(["train-plan", str(path), "--print-program"]) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert words in printed
