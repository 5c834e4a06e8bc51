"""Profiles and the states that they lead to."""

from pathlib import Path

import numpy as np
import pytest

from rammer_ir.errors import InvalidInputError
from rammer_ir.planner.profile import parse_profile, read_profile
from rammer_ir.planner.states import MOST_STATES, model_states

PROFILES = Path(__file__).parents[3] / "shared" / "data" / "dapple_profiles"

NODE = "{} -- {} -- forward_compute_time={}, backward_compute_time={}, activation_size={}, parameter_size={}"


def node(name: str, forward: object = 1, backward: object = 2, activation: object = 8, parameters: object = 4) -> str:
    return NODE.format(name, f"layer {name}", forward, backward, activation, parameters)


def test_a_chain() -> None:
    text = "\n".join([node("a"), node("b", 3, 4, "[5; 6]", 7), "\ta -- b", ""])
    profile = parse_profile(text)
    assert [layer.forward for layer in profile.layers] == [0.001, 0.003]
    assert profile.layers[1].activation == 11
    states = model_states(profile)
    assert states.names == ("layer a", "layer b")
    np.testing.assert_allclose(states.compute, [0.003, 0.010])
    np.testing.assert_allclose(states.forward, [0.001, 0.004])
    assert states.outputs.tolist() == [8, 11]
    assert states.parameters.tolist() == [4, 11]
    assert states.precedes.tolist() == [[False, False], [True, False]]


def test_trailing_blanks_blanks_for_tabs_and_stage_ids() -> None:
    text = "\n".join([node("a") + "  \r", "", node("b") + " -- stage_id=3", "    a -- b  "])
    assert parse_profile(text).edges == ((0, 1),)


def test_inputs_and_unused_results_are_no_layers() -> None:
    lines = [node("i").replace("layer i", "Input0"), node("a"), node("g").replace("layer g", "__getitem__(0)")]
    profile = parse_profile("\n".join([*lines, node("b"), "\ti -- a", "\ta -- g", "\ta -- b"]))
    assert model_states(profile).names == ("layer a", "layer b")


def test_branches_have_the_states_of_their_antichains() -> None:
    names = ["s", "l", "r", "t"]
    edges = ["\ts -- l", "\ts -- r", "\tl -- t", "\tr -- t"]
    states = model_states(parse_profile("\n".join([*map(node, names), *edges])))
    # s; l and r alone, which still need what s made; both, where PipeDream counts s as well; all.
    assert sorted(states.compute.round(6).tolist()) == [0.003, 0.006, 0.006, 0.009, 0.012]
    assert sorted(states.outputs.tolist()) == [8, 8, 16, 16, 24]
    assert states.precedes.sum() == 9


def test_one_layer() -> None:
    assert len(model_states(parse_profile(node("a")))) == 1


@pytest.mark.parametrize(
    ("lines", "number", "words"),
    [
        ([node("a"), "\ta -- z"], 2, "'z'"),
        ([node("a"), node("b"), "\ta -- b", "\tb -- a"], 3, "cycle"),
        ([node("a"), "\ta -- a"], 2, "cycle"),
        ([node("s"), node("a"), node("b"), "\ts -- a", "\ta -- b", "\tb -- a"], 5, "cycle"),
        ([node("a"), node("b"), node("c"), "\ta -- b"], 3, "'c' has no connection"),
        ([node("x"), node("a"), node("b"), "\ta -- b"], 1, "'x' has no connection"),
        ([node("a"), node("a")], 2, "twice"),
        ([node("a", -1)], 1, "zero or more"),
        ([node("a", "nan")], 1, "finite"),
        ([node("a", 1, "inf")], 1, "finite"),
        ([node("a", "fast")], 1, "not a number"),
        ([node("a", 1e9)], 1, "milliseconds"),
        ([node("a", parameters=0.13)], 1, "bytes"),
        ([node("a", activation=1e16)], 1, "bytes"),
        ([node("a").replace(", ", ",")], 1, "', '"),
        ([node("a").replace(" -- ", " - ")], 1, "' -- '"),
        ([node("a").replace("forward_compute_time", "time")], 1, "forward_compute_time"),
        ([node("a"), "\ta - a"], 2, "' -- '"),
        ([node("a") + " -- stage 3"], 1, "' -- '"),
    ],
)
def test_errors_name_the_line(lines: list[str], number: int, words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_profile("\n".join(lines), "graph.txt")
    assert caught.value.location == f"graph.txt:{number}"
    assert words in caught.value.message


@pytest.mark.parametrize("text", ["", "\n\n", node("a", 0, 0)])
def test_nothing_to_plan(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"no nodes|nothing to plan"):
        parse_profile(text)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "graph.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInputError, match="UTF-8"):
        read_profile(path)


@pytest.mark.skipif(not PROFILES.is_dir(), reason="the profiles of ../shared/data are not there")
@pytest.mark.parametrize(
    ("file", "states", "seconds", "gigabytes"),
    [
        ("dapple/vgg-19-pbs-32.txt", 25, 0.1442, 0.548),
        ("dapple/xlnet-36-pbs-1.txt", 41, 0.3007, 2.003),
        ("dapple/bert-24-pbs-6.txt", 31, 0.5154, 1.341),
        ("dapple/amoeba-36-pbs-1.txt", 43, 0.1681, 3.731),
        ("hpgo/resnet50__graph.txt", 240, 0.4434, 0.102),
        ("dapple/gnmt-16-pbs-64.txt", 1495, 0.2489, 1.163),
    ],
)
def test_published_profiles(file: str, states: int, seconds: float, gigabytes: float) -> None:
    found = model_states(read_profile(PROFILES / file))
    assert len(found) == states
    assert found.compute[-1] == pytest.approx(seconds, abs=6e-5)
    assert found.parameters[-1] / 1e9 == pytest.approx(gigabytes, abs=6e-4)


@pytest.mark.skipif(not PROFILES.is_dir(), reason="the profiles of ../shared/data are not there")
def test_graphs_of_too_many_antichains_are_cut_in_one_order() -> None:
    profile = read_profile(PROFILES / "dapple" / "gnmt-32-pbs-64.txt")
    states = model_states(profile)
    assert len(states) <= min(MOST_STATES, len(profile.layers))
    assert np.all(np.diff(states.compute) >= 0)
    assert states.precedes[-1, :-1].all()
    total = sum(layer.forward + layer.backward for layer in profile.layers if layer.description != "Input")
    assert states.compute[-1] == pytest.approx(total, rel=0.2)
