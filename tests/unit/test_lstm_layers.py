"""The LSTM layers written by hand: proved, interpreted, compiled, free of races; and refused with any one mistake."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rammer_ir.context import new_context
from rammer_ir.dialects import rtask
from rammer_ir.dialects.vdevice import BufferOp
from rammer_ir.errors import VerificationError
from rammer_ir.interpreters.kernel_check import check_kernel
from rammer_ir.interpreters.module import run_module
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.runtime.cache import CompileCache
from rammer_ir.runtime.host.executable import build_executable
from rammer_ir.runtime.host.program import HostProgram
from rammer_ir.testing.lowered_models import LoweredModel
from rammer_ir.testing.lstm_layers import Array, LstmLayers, lower_layers, reference

BY_WORDS = LstmLayers(hidden=16, parts=2, steps=9, device="host", threads=64)
BY_EVENTS = replace(BY_WORDS, by_events=True)
UNEVEN = replace(BY_WORDS, hidden=40, parts=3)
ON_GPU = LstmLayers(hidden=256, parts=13, steps=100, device="h100", threads=640, registers=96)
ON_GPU_BY_EVENTS = replace(ON_GPU, by_events=True)
PROOF = "plan-memory,verify-program"

on_host = pytest.mark.parametrize("layers", [BY_WORDS, BY_EVENTS, UNEVEN], ids=["by words", "by events", "uneven"])
everywhere = pytest.mark.parametrize(
    "layers",
    [BY_WORDS, BY_EVENTS, UNEVEN, ON_GPU, ON_GPU_BY_EVENTS],
    ids=["by words", "by events", "uneven", "on a GPU", "on a GPU by events"],
)


def device(layers: LstmLayers) -> str:
    return f"set-device{{device={layers.device} veus={layers.veus}}}"


def proved(layers: LstmLayers) -> LoweredModel:
    return lower_layers(layers, f"{device(layers)},{PROOF}")


def random_rows(steps: int, layers: LstmLayers) -> Array:
    return np.random.default_rng(steps).standard_normal((steps, layers.hidden)).astype(np.float32)


def assert_right(outputs: dict[str, Array], x: Array) -> None:
    for name, wanted in reference(x).items():
        np.testing.assert_allclose(outputs[name], wanted, rtol=1e-4, atol=1e-5, err_msg=name)


@everywhere
def test_proved_and_interpreted(layers: LstmLayers) -> None:
    lowered = proved(layers)
    x = random_rows(4, layers)
    padded = np.zeros((layers.steps, layers.hidden), np.float32)
    padded[: len(x)] = x
    results = run_module(lowered.module, {"x": padded, "steps": np.asarray(len(x))}, lowered.weights)
    assert_right({name: result[: len(x)] for name, result in zip(("h0", "y"), results, strict=True)}, x)


@on_host
def test_bodies_do_what_regions_say(layers: LstmLayers) -> None:
    lowered = proved(layers)
    kernels = [op for op in lowered.module.ops if isinstance(op, rtask.KernelOp)]
    assert [kernel.sym_name.data for kernel in kernels] == ["begin", "cell0", "cell1"]
    for kernel in kernels:
        check_kernel(lowered.module, kernel, loop=3 if kernel.loops else 0)


@on_host
def test_compiled_for_the_host(layers: LstmLayers) -> None:
    image, weights = proved(layers).encode()
    program = HostProgram(image, weights, cache=CompileCache(), poison=True, oversubscribe=True)
    for steps in (1, 2, layers.steps, 3):
        x = random_rows(steps, layers)
        assert_right(program.run({"x": x}), x)
    program.close()


@on_host
def test_thread_sanitizer_is_silent(layers: LstmLayers, tmp_path: Path) -> None:
    image, weights = proved(layers).encode()
    x = random_rows(layers.steps, layers)
    executable = build_executable(image, {"x": x}, weights, folder=tmp_path, cache=CompileCache())
    assert_right(executable.run(runs=3), x)


# What is written instead of what, in the first place where it stands, and what the proof says to it.
Mistake = tuple[str, str, str]

BEGIN, CELL, PLACE = "@begin tasks [0, 2]", "@cell0 tasks [0, 2]", "place affine_map<(i) -> (i)>"
ELSEWHERE = "place affine_map<(i) -> (1 - i)>"
OWN_ROW = "(t + 1, 0) by [1, 16]>, #rtask.box<(p)[t] -> (t, 0) by"
CELLS = "(p * 8) by [8]>, #rtask.box<(p)[t] -> (t, p"
STATES = "writes [#rtask.box<(p)[t] -> (t + 1, p * 8)"
MISTAKES_BY_WORDS: dict[str, Mistake] = {
    "another vEU begins": (f"{BEGIN} {PLACE}", f"{BEGIN} {ELSEWHERE}", "race on buffer %c0: @begin"),
    "another vEU has the weights": (f"{CELL} {PLACE}", f"{CELL} {ELSEWHERE}", "reads what is not pinned on its vEU"),
    "other weights are pinned": ("box <(p) -> (0, p * 8, 0)", "box <(p) -> (0, 8 - p * 8, 0)", "what is not pinned"),
    "nothing begins": ("outs(%h1, %c1", "outs(%h0, %c0", "@cell1 reads buffer %h1, which nothing before it writes"),
    "a step reads what it writes": (OWN_ROW, OWN_ROW.replace("(t, 0)", "(t + 1, 0)"), "deadlock: @cell1.* words of"),
    "a step reads ahead": ("[#rtask.box<(p)[t] -> (t + 1, 0)", "[#rtask.box<(p)[t] -> (t + 2, 0)", "deadlock: @cell1"),
    "a row is written again": (STATES, STATES.replace("t + 1", "t"), "@begin.* and @cell0.* write the same words"),
    "all have the same cells": (CELLS, CELLS.replace("p * 8) by [8]", "0) by [8]"), "race on buffer %c0"),
    "a task is left out": (CELL, "@cell0 tasks [0, 1]", r"@cell0\[1\] runs 0 times"),
    "a vEU too many": ("launch veus 4", "launch veus 5", "a launch of 5 vEUs on @host, which has 4"),
    "too few threads": ("veus 4 threads 64", "veus 4 threads 32", "64 threads in a launch of 32"),
    "too little scratch memory": ("scratch 128", "scratch 112", "needs 128 bytes of scratch memory"),
    "too little pinned memory": ("pinned 4096", "pinned 4080", "4096 bytes are pinned"),
}

FIRST = "waits(%ready0 affine_map<(p)[t] -> (0, 2, t + 1)> : !vdevice.event<2>)"
OWN = "%ready1 affine_map<(p)[t] -> (0, 2, t + 1)> : !vdevice.event<2>"
BELOW = "%ready0 affine_map<(p)[t] -> (0, 2, t + 2)> : !vdevice.event<2>"
SIGNAL = "signals(%ready0 affine_map<(p) -> (p)> : !vdevice.event<2>)"
BEGINNING = f"!cells_in_memory) {SIGNAL}"
MISTAKES_BY_EVENTS: dict[str, Mistake] = {
    "no wait for the layer itself": (f"{OWN}, ", "", "RAW race on buffer %h1"),
    "no wait for the layer below": (f", {BELOW}", "", "RAW race on buffer %h0"),
    "no wait in the first layer": (FIRST, "", "RAW race on buffer %h0"),
    "a wait for the step before": (OWN, OWN.replace("t + 1", "t"), "RAW race on buffer %h1"),
    "a wait for the step before, below": (BELOW, BELOW.replace("t + 2", "t + 1"), "RAW race on buffer %h0"),
    "a wait for the first step alone": (OWN, OWN.replace("t + 1", "1"), "RAW race on buffer %h1"),
    "a wait for one vEU alone": (BELOW, BELOW.replace("0, 2,", "0, 1,"), "RAW race on buffer %h0"),
    "a wait for the other event": (OWN, OWN.replace("ready1", "ready0"), "RAW race on buffer %h1"),
    "a wait for a step to come": (BELOW, BELOW.replace("t + 2", "t + 3"), "deadlock: @cell1.* waits for 3 signals"),
    "a wait for a layer to come": (FIRST, f"waits({OWN})", "deadlock: @cell0.* which has 0 before it in text order"),
    "no signal of the beginning": (BEGINNING, "!cells_in_memory)", "deadlock: @cell0"),
    "no signal of a step": (f"{FIRST} {SIGNAL}", FIRST, "grows by 1 a period of the loop, but the counter by 0"),
    "one vEU signals for both": (f"{FIRST} {SIGNAL}", f"{FIRST} {SIGNAL.replace('(p)>', '(0)>')}", "grows by 1"),
}


def assert_refused(layers: LstmLayers, mistake: Mistake) -> None:
    right, wrong, message = mistake
    assert right in layers.text
    module = parse_module(new_context(), layers.text.replace(right, wrong, 1))
    with pytest.raises(VerificationError, match=message) as error:
        run_passes(new_context(), module, parse_pass_pipeline(f"{device(layers)},{PROOF}"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("mistake", MISTAKES_BY_WORDS.values(), ids=MISTAKES_BY_WORDS)
def test_mistakes_with_words_are_refused(mistake: Mistake) -> None:
    assert_refused(BY_WORDS, mistake)


@pytest.mark.parametrize("mistake", MISTAKES_BY_EVENTS.values(), ids=MISTAKES_BY_EVENTS)
def test_mistakes_with_events_are_refused(mistake: Mistake) -> None:
    assert_refused(BY_EVENTS, mistake)


@pytest.mark.parametrize("name", ["h", "c"])
def test_buffers_that_share_bytes_are_refused(name: str) -> None:
    module = proved(BY_WORDS).module
    buffers = {op.result.name_hint: op for op in module.walk() if isinstance(op, BufferOp)}
    buffers[f"{name}1"].offset = buffers[f"{name}0"].offset or 0
    with pytest.raises(VerificationError, match=f"buffer %{name}0 and buffer %{name}1"):
        run_passes(new_context(), module, parse_pass_pipeline("verify-program"))
