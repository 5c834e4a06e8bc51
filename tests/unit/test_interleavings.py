"""Programs under other orders than that of their text."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rammer_ir.context import new_context
from rammer_ir.errors import InvalidInputError
from rammer_ir.interpreters.interleaving.explore import TooManyStatesError
from rammer_ir.interpreters.interleaving.orders import delaying_order, priority_order, random_order, text_order
from rammer_ir.interpreters.interleavings import Interleavings, StuckError
from rammer_ir.interpreters.vdevice import run_module
from rammer_ir.parsing import parse_module
from rammer_ir.testing.lstm_pair import ON_HOST, lower_pair

CHAIN = (Path(__file__).parents[1] / "programs" / "event_chain.mlir").read_text(encoding="utf-8")

PLANTED = {
    "no wait": ("waits(%e affine_map<(i) -> (i, 3, 1)> : !vdevice.event<10>)", "", "race"),
    "too narrow": ("(i, 3, 1)", "(i, 2, 1)", "race"),
    "too few": ("(0, 1, 8)", "(0, 1, 7)", "race"),
    "too many": ("(0, 1, 8)", "(0, 1, 9)", "deadlock"),
    "overwritten": ("waits(%f affine_map<(i) -> (0, 1, 8)> : !vdevice.event<1>)", "", "race"),
    "shared bytes": ("offset 256", "offset 0", "race"),
    "never written": ("@increment tasks [0, 8] place affine_map<(i) -> (i mod 4)> ins(%x : !x)", "", "poison"),
}


def chain(old: str = "", new: str = "") -> Interleavings:
    return Interleavings(parse_module(new_context(), CHAIN.replace(old, new) if old else CHAIN))


def test_all_orders_of_a_right_program_do_the_same() -> None:
    runs = chain()
    assert runs.search(seed=3) is None
    assert runs.explore() is None


@pytest.mark.parametrize("name", [name for name in PLANTED if name != "never written"])
def test_planted_faults_are_found(name: str) -> None:
    old, new, kind = PLANTED[name]
    assert old in CHAIN
    runs = chain(old, new)
    found = runs.search(seed=0)
    assert found is not None
    # The text of a program whose buffers share bytes is wrong already, as is that of one which cannot go on.
    assert found.kind == kind
    assert runs.search(seed=0) == found


def test_what_nothing_has_written_is_found() -> None:
    text = CHAIN.replace(
        "@increment tasks [0, 8] place affine_map<(i) -> (i mod 4)> ins(%x",
        "@increment tasks [1, 8] place affine_map<(i) -> (i mod 4)> ins(%x",
        1,
    )
    right = chain()
    found = Interleavings(parse_module(new_context(), text), unused=right.unused).explore()
    assert found is not None
    assert found.kind == "deadlock"


def test_numbers_are_the_same_in_every_order() -> None:
    runs = chain()
    x = np.random.default_rng(0).standard_normal(64).astype(np.float32)
    (expected,) = run_module(runs.module, {"x": x}, {})
    for order in (text_order, random_order(1), random_order(2), priority_order(3, 64), delaying_order(5)):
        (found,) = runs.run(order, runs.numbers({"x": x}, {}))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("events", [False, True])
def test_numbers_of_the_pair(events: bool) -> None:
    lowered = lower_pair(replace(ON_HOST, events=events))
    x = np.random.default_rng(0).standard_normal((ON_HOST.steps, ON_HOST.hidden)).astype(np.float32)
    expected = run_module(lowered.module, {"x": x, "n": np.asarray(3)}, lowered.weights)
    runs = Interleavings(lowered.module, {"n": 3})
    found = runs.run(random_order(4), runs.numbers({"x": x}, lowered.weights))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert runs.explore() is None


def test_a_seed_gives_one_order() -> None:
    runs = chain("(i, 3, 1)", "(i, 1, 1)")
    (first,), (second,) = (runs.run(random_order(9), runs.terms()) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert any(not np.array_equal(runs.run(random_order(seed), runs.terms())[0], first) for seed in range(8))


def test_limits_and_wrong_arguments() -> None:
    with pytest.raises(TooManyStatesError, match="more than 100 states"):
        chain("(i, 3, 1)", "(i, 1, 1)").explore(states=100)
    with pytest.raises(InvalidInputError, match="no number is given for the length n"):
        Interleavings(lower_pair(ON_HOST).module)
    with pytest.raises(InvalidInputError, match="no program @other"):
        Interleavings(parse_module(new_context(), CHAIN), entry="other")
    runs = chain("(0, 1, 8)", "(0, 1, 9)")
    with pytest.raises(StuckError, match=r"deadlock: .* vEUs cannot go on, one is at @increment"):
        runs.run(text_order, runs.terms())
