"""`rammer profile`: profiles of one's own models, and links."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from rammer_ir.cli.rammer import main
from rammer_ir.errors import InvalidInputError
from rammer_ir.planner.cluster import Cluster
from rammer_ir.planner.links import Links, load_links
from rammer_ir.planner.profile import Layer, Profile, parse_profile, profile_text, read_profile

PROGRAMS = Path(__file__).parents[1] / "programs" / "training"
HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
LINKS = Links(2e11, 1e10, 5e9, 3e11, 4e11, "nccl", ("H100", "H100"), 1)


def test_profiles_are_read_as_they_are_written() -> None:
    layers = (Layer("a", "Linear(x)", 0.0015, 0.25, 4096.0, 12.0), Layer("b", "loss", 0.0, 1e-6, 0.0, 0.0))
    profile = Profile(layers, ((0, 1),))
    found = parse_profile(profile_text(profile))
    assert found.edges == profile.edges
    for one, other in zip(found.layers, layers, strict=True):
        assert (one.name, one.description) == (other.name, other.description)
        costs = (one.forward, one.backward, one.activation, one.parameters)
        assert costs == pytest.approx((other.forward, other.backward, other.activation, other.parameters))


def test_links_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "links.json"
    path.write_text(json.dumps(LINKS.to_json()), encoding="utf-8")
    assert load_links(path) == LINKS
    graph = tmp_path / "graph.txt"
    layers = tuple(Layer(f"n{i}", f"layer {i}", 1.0, 2.0, 1e6, 1e9) for i in range(4))
    graph.write_text(profile_text(Profile(layers, ((0, 1), (1, 2), (2, 3)))), encoding="utf-8")
    given = ["plan", str(graph), "--profile-batch=8", "--global-batch=8", "--json"]

    def overlap(*more: str) -> float:
        assert main([*given, *more]) == 0
        return json.loads(capsys.readouterr().out)["data_parallel"]["none"]

    ring, total = 2 * 3 / 4 * 4e9, 12.0
    assert overlap("--devices=4", f"--links={path}") == pytest.approx(total / (3 + ring / 3e11))
    assert overlap("--devices=2,4", f"--links={path}") == pytest.approx(total / (3 + ring / 5e9))
    assert overlap("--devices=2,4", f"--links={path}", "--nccl=1e9") == pytest.approx(total / (3 + ring / 1e9))
    assert overlap("--devices=4") == pytest.approx(total / (3 + ring / 25e9 / 2))


def test_wrong_bandwidth() -> None:
    with pytest.raises(InvalidInputError, match="reduce"):
        Cluster((2,), reduce=0.0)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nvlink": "fast"}'])
def test_wrong_links(tmp_path: Path, text: str) -> None:
    path = tmp_path / "links.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInputError, match="rammer profile links"):
        load_links(path)


@pytest.mark.skipif(HAS_TORCH, reason="PyTorch is installed")
@pytest.mark.parametrize("command", [["profile", "links"], ["profile", "graph", "x.py:f", "--batch=1"]])
def test_without_torch(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert main(command) == 1
    assert capsys.readouterr().err == "rammer: error: this needs PyTorch: pip install 'rammer-ir[torch]'\n"


@needs_torch
def test_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "graph.txt"
    model = f"{PROGRAMS / 'branches.py'}:make_model"
    assert main(["profile", "graph", model, "--batch=4", "--device=cpu", "--repeats=2", "-o", str(path)]) == 0
    assert "--profile-batch 4 --peak-activation" in capsys.readouterr().out
    profile = read_profile(path)
    found = {layer.description: layer for layer in profile.layers}
    assert found["Input"].forward == 0
    assert found["Embedding(embedding)"].activation == 4 * 6 * 16 * 4
    assert found["Embedding(embedding)"].parameters == 50 * 16 * 4
    assert found["add(add)"].parameters == 6 * 16 * 4, "a parameter of the model itself belongs to who uses it"
    assert found["Block(blocks_0)"].parameters == 2 * (16 * 16 + 16) * 4
    assert found["LSTM(recurrent)"].activation == 4 * 6 * 16 * 4
    assert "view(view)" not in found, "a model is not cut where values have no row for each sample"
    for name in ("Block(blocks_3)", "LSTM(recurrent)", "cat(cat)", "Linear(head)", "loss"):
        assert found[name].forward > 0
        assert found[name].backward > 0
    names = {layer.name: number for number, layer in enumerate(profile.layers)}
    ahead, behind = names[found["add(add)"].name], names[found["cat(cat)"].name]
    assert (ahead, behind) in profile.edges, "the connection over the blocks"


@needs_torch
def test_layers_that_write_in_place(tmp_path: Path) -> None:
    path = tmp_path / "graph.txt"
    model = f"{PROGRAMS / 'in_place.py'}:make_model"
    assert main(["profile", "graph", model, "--batch=2", "--device=cpu", "--repeats=1", "-o", str(path)]) == 0
    kinds = [layer.description.partition("(")[0] for layer in read_profile(path).layers]
    assert kinds == ["Input", "Conv2d", "ReLU", "Conv2d", "ReLU", "Flatten", "Linear", "loss"]


WRONG: list[tuple[str, str]] = [
    ("def f(): return 3", "(model, batch, loss)"),
    ("def g(): return 3", "no function 'f'"),
    ("def f(): return 1, 2, 3", "torch.nn.Module"),
    (
        "import torch\nclass M(torch.nn.Module):\n  def forward(self, x):\n    return x if x.sum() > 0 else -x\n"
        "def f(): return M(), lambda n, s: (torch.ones(n, 2), torch.ones(n)), torch.nn.functional.mse_loss",
        "cannot be traced",
    ),
    (
        "import torch\nfrom torch.nn import Linear\n"
        "def f():\n  return Linear(3, 1), lambda n, s: (torch.ones(n, 2), None), lambda o, t: o.mean()",
        "fails on tensors without data",
    ),
]


@needs_torch
@pytest.mark.parametrize(("code", "words"), WRONG)
def test_wrong_models(tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, words: str) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(code, encoding="utf-8")
    assert main(["profile", "graph", f"{path}:f", "--batch=1", "--device=cpu"]) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert words in printed


@needs_torch
def test_links_on_the_cpu(tmp_path: Path, capfd: pytest.CaptureFixture[Any]) -> None:
    path = tmp_path / "links.json"
    assert main(["profile", "links", "--processes=3", "-o", str(path)]) == 0
    assert "3 CPU processes (gloo, as there are no GPUs for them)" in capfd.readouterr().out
    found = load_links(path)
    assert min(found.nvlink, found.p2p, found.nccl, found.reduce, found.split_concat) > 1e6
    assert found.devices == ("CPU", "CPU", "CPU")
