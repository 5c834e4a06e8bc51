"""The proof refuses damaged programs: the hand-written LSTM pair, changed in one place, and a chain with events."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.errors import VerificationError
from rammer_ir.interpreters.vdevice import run_module
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.testing.lstm_pair import ON_CUDA, ON_HOST


def prove(text: str, passes: str = "plan-memory,verify-program") -> ModuleOp:
    context = new_context()
    module = parse_module(context, text)
    run_passes(context, module, parse_pass_pipeline(passes))
    return module


def changed(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert re.search(old, text) is not None, old
        text = re.sub(old, new, text)
    return text


def test_the_pair_is_proved_quickly() -> None:
    start = time.process_time()
    prove(ON_CUDA.text())
    assert time.process_time() - start < 5.0


PAIR_CHANGES = {
    "states that are no words pass unseen": (
        r'!m_states = memref<33x16xf32, "words">',
        '!m_states = memref<33x16xf32, "global">',
        r"RAW race on buffer %h0: @init\[1\].* writes it, @cell0\[0\] at iteration 0 .* reads it",
    ),
    "the first layer reads what it has not computed": (
        r"#rtask.box<\(p\)\[t\] -> \(t, 0\) by \[1, 16\]>, #rtask.box<\(p\)\[t\] -> \(t, 0\) by \[1, 16\]>,",
        "#rtask.box<(p)[t] -> (t, 0) by [1, 16]>, #rtask.box<(p)[t] -> (t + 1, 0) by [1, 16]>,",
        r"deadlock: @cell0\[0\] at iteration 0 .* reads 16 words of buffer %h0 that nothing before it .* writes",
    ),
    "words are written twice": (
        r"writes \[#rtask.box<\(p\)\[t\] -> \(t \+ 1, p \* 8\)",
        "writes [#rtask.box<(p)[t] -> (t, p * 8)",
        r"@init\[0\].* and @cell0\[0\] at iteration 0 .* write the same words of buffer %h0",
    ),
    "words are used again": (
        r"writes \[#rtask.box<\(p\)\[t\] -> \(t \+ 1, p \* 8\)",
        "writes [#rtask.box<(p)[t] -> ((t + 1) mod 8, p * 8)",
        r"write the same words of buffer %h0",
    ),
    "cells begin on other vEUs": (
        r"vdevice.run @init tasks \[0, 2\] place affine_map<\(p\) -> \(p\)> outs\(%h1",
        "vdevice.run @init tasks [0, 2] place affine_map<(p) -> (1 - p)> outs(%h1",
        r"RAW race on buffer %c1: @init\[0\] \(vEU 3, .*\) writes it, @cell1\[0\] at iteration 0 \(vEU 2",
    ),
    "cells move from vEU to vEU": (
        r"\(p \* 8\) by \[8\]>\]\n    writes",
        "((p * 8 + t * 8) mod 16) by [8]>]\n    writes",
        r"race on buffer %c0",
    ),
    "no cell to begin with": (
        r"vdevice.run @init .* outs\(%h0, %c0 : .*\n",
        "\n",
        r"@cell0 reads buffer %h0, which nothing before it writes",
    ),
    "other units are pinned": (
        r"vdevice.pin %w1 box <\(p\) -> \(0, p \* 8, 0\)",
        "vdevice.pin %w1 box <(p) -> (0, 8 - p * 8, 0)",
        r"@cell1\[0\] \(vEU 2, .*\) reads what is not pinned on its vEU",
    ),
    "more is pinned than set aside": (
        r"pinned 4096",
        "pinned 4095",
        r"4096 bytes are pinned on a vEU of a launch that sets 4095 aside",
    ),
    "too little scratch memory": (
        r"scratch 256",
        "scratch 128",
        r"body @cell0_body needs 256 bytes of scratch memory, the launch has 128",
    ),
    "another number of threads": (
        r"launch veus 4 threads 64",
        "launch veus 4 threads 32",
        r"body @init_body has 64 threads in a launch of 32",
    ),
    "more vEUs than there are": (
        r"veus 4 threads 1024",
        "veus 3 threads 1024",
        r"a launch of 4 vEUs on @device, which has 3",
    ),
    "a task is left out": (
        r"@cell1 tasks \[0, 2\]",
        "@cell1 tasks [0, 1]",
        r"@cell1\[1\] runs 0 times, other tasks 1 times",
    ),
    "a task is out of its group": (
        r"@cell1 tasks \[0, 2\] place affine_map<\(p\) -> \(p\)>",
        "@cell1 tasks [0, 2] place affine_map<(p) -> (p + 1)>",
        r"@cell1\[1\] is placed on vEU 2 of 2",
    ),
    "the layers change places": (
        r"(?s)(    vdevice.group \[0, 2\].*?\n    \}\n)(    vdevice.group \[2, 4\].*?\n    \}\n)",
        r"\2\1",
        r"@cell1 reads buffer %h0, which nothing before it writes",
    ),
    "layers of different lengths": (
        r'(?s)names \["x", "y0", "y1", "n"\](.*)%n: index(.*)in %n(.*)in %n',
        r'names ["x", "y0", "y1", "n", "m"]\1%n: index, %m: index\2in %n\3in %m',
        r"deadlock: @cell1\[0\] at iteration 0 .* reads 16 words of buffer %h0",
    ),
}


@pytest.mark.parametrize("name", PAIR_CHANGES)
def test_a_damaged_pair_is_refused(name: str) -> None:
    old, new, message = PAIR_CHANGES[name]
    text = changed(ON_HOST.text(), (old, new))
    with pytest.raises(VerificationError, match=message) as refusal:
        prove(text)
    assert "\n" not in str(refusal.value)


CHAIN = (Path(__file__).parents[1] / "programs" / "event_chain.mlir").read_text(encoding="utf-8")

CHAIN_CHANGES = {
    "a wait is missing": (
        r"waits\(%e affine_map<\(i\) -> \(7, 2, 1\)> : !vdevice.event<10>\)\n",
        "",
        r"RAW race on buffer %a: @increment\[6\] .* @blur\[7\]",
    ),
    "a wait is too narrow": (
        r"\(i, 3, 1\)",
        "(i, 2, 1)",
        r"RAW race on buffer %a: @increment\[2\] .* @blur\[1\]",
    ),
    "nothing waits for what is to be overwritten": (
        r"ins\(%b : !g\) outs\(%a : !g\)\n        waits\(%f .*\)",
        "ins(%x : !x) outs(%a : !g)",
        r"WAR race on buffer %a: @blur\[1\] .* reads it, @increment\[0\] .* writes it",
    ),
    "a threshold that does not mean all": (
        r"\(0, 1, 8\)",
        "(0, 1, 7)",
        r"may signal counter 0 of event %f before the 7 signals",
    ),
    "a threshold that is never reached": (
        r"\(0, 1, 8\)",
        "(0, 1, 9)",
        r"deadlock: .* waits for 9 signals of counter 0 of event %f, which has 8 before",
    ),
    "a counter out of its event": (
        r"\(i \+ 1\)> : ",
        "(i + 3)> : ",
        r"@increment\[7\] .* names counters \[10, 11\) of an event that has 10",
    ),
    "a wait on later text": (
        r"ins\(%x : !x\) outs\(%a : !g\)\n",
        "ins(%x : !x) outs(%a : !g)\n        waits(%f affine_map<(i) -> (0, 1, 1)> : !vdevice.event<1>)\n",
        r"deadlock: @increment\[0\] .* waits for 1 signals of counter 0 of event %f, which has 0 before it .*, 8 after",
    ),
    "buffers share bytes": (r"offset 256", "offset 0", r"buffer %a and buffer %b share bytes while both are in use"),
    "a vEU too many": (
        r"veus 4 threads 1 service",
        "veus 5 threads 1 service",
        r"a launch of 5 vEUs on @d, which has 4",
    ),
    "a placement out of the launch": (
        r"\(\(i \+ 2\) mod 4\)",
        "((i + 2) mod 5)",
        r"@blur\[2\] is placed on vEU 4 of 4",
    ),
}


def test_the_chain_is_proved_and_right() -> None:
    module = prove(CHAIN, "verify-program")
    x = np.arange(64, dtype=np.float32)
    (y,) = run_module(module, {"x": x}, {})
    np.testing.assert_array_equal(y, np.convolve(x + 1, np.ones(3), "same") + 2)


@pytest.mark.parametrize("name", CHAIN_CHANGES)
def test_a_damaged_chain_is_refused(name: str) -> None:
    old, new, message = CHAIN_CHANGES[name]
    with pytest.raises(VerificationError, match=message) as refusal:
        prove(changed(CHAIN, (old, new)), "verify-program")
    assert "\n" not in str(refusal.value)
