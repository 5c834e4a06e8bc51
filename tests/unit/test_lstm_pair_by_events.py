"""The hand-written LSTM pair whose states pass by events: proved, and refused with any one mistake in them."""

from dataclasses import replace

import numpy as np
import pytest

from rammer_ir.context import new_context
from rammer_ir.errors import VerificationError
from rammer_ir.interpreters.module import run_module
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.testing.lstm_pair import ON_CUDA, ON_HOST, LstmPair, lower_pair, pair_reference

BY_EVENTS = replace(ON_HOST, events=True)


@pytest.mark.parametrize("pair", [BY_EVENTS, replace(ON_CUDA, events=True)], ids=["small", "on a GPU"])
def test_proved_and_interpreted(pair: LstmPair) -> None:
    lowered = lower_pair(pair)
    x = np.random.default_rng(0).standard_normal((pair.steps, pair.hidden)).astype(np.float32)
    steps = 4
    outputs = run_module(lowered.module, {"x": x, "n": np.asarray(steps)}, lowered.weights)
    for found, wanted in zip(outputs, pair_reference(x[:steps]).values(), strict=True):
        np.testing.assert_allclose(found[:steps], wanted, rtol=1e-4, atol=1e-5)


FIRST = "waits(%e0 affine_map<(p)[t] -> (0, 2, t + 1)> : !vdevice.event<2>)"
OWN = "%e1 affine_map<(p)[t] -> (0, 2, t + 1)> : !vdevice.event<2>"
BELOW = "%e0 affine_map<(p)[t] -> (0, 2, t + 2)> : !vdevice.event<2>"
SIGNAL = "signals(%e0 affine_map<(p) -> (p)> : !vdevice.event<2>)"
BEGINNING = f"outs(%h0, %c0 : !m_states, !m_cells) {SIGNAL}"
# What is written instead of what, and what the proof says to it.
MISTAKES = {
    "no wait for the layer itself": (f"{OWN}, ", "", "RAW race on buffer %h1"),
    "no wait for the layer below": (f", {BELOW}", "", "RAW race on buffer %h0"),
    "no wait in the first layer": (FIRST, "", "RAW race on buffer %h0"),
    "a wait for the step before": (OWN, OWN.replace("t + 1", "t"), "RAW race on buffer %h1"),
    "a wait for the step before, below": (BELOW, BELOW.replace("t + 2", "t + 1"), "RAW race on buffer %h0"),
    "a wait for the first step alone": (OWN, OWN.replace("t + 1", "1"), "RAW race on buffer %h1"),
    "a wait for one vEU alone": (BELOW, BELOW.replace("0, 2,", "0, 1,"), "RAW race on buffer %h0"),
    "a wait for the other event": (OWN, OWN.replace("%e1", "%e0"), "RAW race on buffer %h1"),
    "a wait for a step to come": (BELOW, BELOW.replace("t + 2", "t + 3"), "deadlock: @cell1.* waits for 3 signals"),
    "a wait for a layer to come": (FIRST, f"waits({OWN})", "deadlock: @cell0.* which has 0 before it in text order"),
    "no signal of the beginning": (BEGINNING, BEGINNING.removesuffix(SIGNAL), "deadlock: @cell0"),
    "no signal of a step": (f"{FIRST} {SIGNAL}", FIRST, "grows by 1 a period of the loop, but the counter by 0"),
    "one vEU signals for both": (f"{FIRST} {SIGNAL}", f"{FIRST} {SIGNAL.replace('(p)>', '(0)>')}", "grows by 1"),
    "one event for both layers": ("signals(%e1", "signals(%e0", "two loops signal the same event"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_refused(name: str) -> None:
    right, wrong, message = MISTAKES[name]
    text = BY_EVENTS.text()
    assert right in text
    module = parse_module(new_context(), text.replace(right, wrong))
    with pytest.raises(VerificationError, match=message) as error:
        run_passes(new_context(), module, parse_pass_pipeline("plan-memory,verify-program"))
    assert "\n" not in str(error.value)
