"""`rammer plan` and `rammer simulate-plan`: output, errors, exit codes."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from rammer_ir.cli.rammer import main


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "graph.txt"
    lines = [
        f"node{i} -- layer {i} -- forward_compute_time={3 + i % 2}, backward_compute_time=6, "
        f"activation_size=4000000, parameter_size={80000000 if i == 7 else 1000000}"
        for i in range(8)
    ]
    lines += [f"\tnode{i} -- node{i + 1}" for i in range(7)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def options(profile: Path, *more: str, batch: str = "32", devices: str = "2,4") -> list[str]:
    given = ["--profile-batch", "4", "--global-batch", batch, "--devices", devices]
    return ["plan", str(profile), *given, *more]


@pytest.mark.parametrize("policy", ["hpgo", "dapple", "best"])
def test_text(profile: Path, capsys: pytest.CaptureFixture[str], policy: str) -> None:
    assert main(options(profile, "--policy", policy)) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for words in ("without overlap", "with P3", "normal overlap", f"best hybrid ({policy})", "stage 0: states 0-"):
        assert words in printed.out


def test_json_and_simulation(profile: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(options(profile, "--json", "--memory", "16e9")) == 0
    text = capsys.readouterr().out
    found = json.loads(text)
    assert set(found["data_parallel"]) == {"none", "p3", "overlap"}
    assert {"first", "last", "replicas", "devices"} <= set(found["stages"][0])
    assert len(found["memory"]) == len(found["stages"])
    assert found["estimate"]["seconds"] > 0
    path = tmp_path / "plan.json"
    path.write_text(text, encoding="utf-8")
    assert main(["simulate-plan", str(path), "--json"]) == 0
    simulated = json.loads(capsys.readouterr().out)
    assert simulated["length"] == pytest.approx(found["estimate"]["simulated_seconds"])
    assert simulated["length"] == pytest.approx(simulated["recursive_length"])
    assert main(["simulate-plan", str(path), "--warmup", "B", "--depth", "2"]) == 0
    assert "stage 0: busy" in capsys.readouterr().out


def test_sweep(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(options(profile, batch="8,32,128")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["8", "32", "128"]
    assert main(options(profile, "--json", batch="8,32")) == 0
    assert [plan["global_batch"] for plan in json.loads(capsys.readouterr().out)] == [8, 32]


def test_view(profile: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "plan.html"
    assert main(options(profile, "--view", str(path), "--policy", "hpgo", devices="2,3")) == 0
    capsys.readouterr()
    page = path.read_text(encoding="utf-8")
    picture = ElementTree.fromstring(page[page.rindex("<svg") : page.rindex("</svg>") + 6])
    kinds = {element.get("class") for element in picture.iter("rect")}
    assert {"row", "forward", "backward"} <= kinds
    assert "http" not in page, "the page needs nothing else"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--devices", "8,4"], "8,16"),
        (["--devices", "x"], "whole numbers"),
        (["--global-batch", "0"], "micro-batch"),
        (["--profile-batch", "0"], "profile-batch"),
        (["--memory", "-1"], "memory"),
        (["--memory", "nan"], "memory"),
        (["--nvlink", "0"], "nvlink"),
        (["--memory", "1000"], "no plan fits"),
        (["--policy", "worst"], "--policy"),
        (["--global-batch", "8,32", "--view", "x.html"], "one --global-batch"),
    ],
)
def test_errors_are_one_line(profile: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str) -> None:
    assert main(options(profile, *more)) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert words in printed.err


def test_a_bad_profile_names_its_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "graph.txt"
    path.write_text("node1 -- a -- forward_compute_time=1", encoding="utf-8")
    assert main(options(path)) == 1
    assert f"{path}:1: error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "{}",
        "[]",
        '{"micro_batches": 0, "estimate": {"forward": [1], "backward": [1], "all_reduce": [0], "transfer": []}}',
        '{"micro_batches": 2, "estimate": {"forward": [1], "backward": [1], "all_reduce": [0], "transfer": [1]}}',
        '{"micro_batches": 2, "estimate": {"forward": [-1], "backward": [1], "all_reduce": [0], "transfer": []}}',
    ],
)
def test_bad_plans(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text, encoding="utf-8")
    assert main(["simulate-plan", str(path)]) == 1
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "plan.json" in printed.err
