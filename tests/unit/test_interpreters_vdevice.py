"""The reference semantics of the `vdevice` level."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.errors import InvalidInputError, RammerError
from rammer_ir.interpreters.bindings import Inputs
from rammer_ir.interpreters.vdevice import run_module
from rammer_ir.parsing import parse_module

Array = npt.NDArray[Any]


def module_of(text: str) -> ModuleOp:
    module = parse_module(new_context(), text)
    module.verify()
    return module


def run(text: str, inputs: Inputs, weights: Mapping[str, Array] | None = None) -> list[Array]:
    return run_module(module_of(text), inputs, weights or {})


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


DEVICE = 'vdevice.device @host kind "host" veus 4 threads 1 shared 4096 registers 0\n'
LAUNCH = "vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0"


def kernel(name: str, op: str) -> str:
    """Four tasks on two elements each of a vector: what an op of `arith` makes of an element and itself."""
    return f"""
    rtask.kernel @{name} grid [4] reads [#rtask.box<(i) -> (i * 2) by [2]>]
        writes [#rtask.box<(i) -> (i * 2) by [2]>] {{
    ^bb0(%i: index, %x: tensor<8xf32>, %y: tensor<8xf32>):
      %r = rop.generic bounds [2] maps [affine_map<(d)[i] -> (i * 2 + d)>, affine_map<(d)[i] -> (i * 2 + d)>]
          ins(%x : tensor<8xf32>) into(%y : tensor<8xf32>) at(%i) {{
      ^bb1(%p: f32):
        %m = arith.{op} %p, %p : f32
        rop.yield %m : f32
      }} -> tensor<8xf32>
      rtask.yield %r : tensor<8xf32>
    }}
    """


CHAIN = (
    DEVICE
    + kernel("twice", "addf")
    + kernel("square", "mulf")
    + """
vdevice.program @main on @host inputs 1 names ["x", "y"] {
^bb0(%x: memref<8xf32>, %y: memref<8xf32>):
  %b = vdevice.buffer offset 64 : memref<8xf32, "global">
  %c = vdevice.buffer offset 128 : memref<8xf32, "global">
  LAUNCH {
    %e = vdevice.event : !vdevice.event<2>
    vdevice.run @twice tasks [0, 4] place affine_map<(i) -> (i)> ins(%x : memref<8xf32>)
        outs(%b : memref<8xf32, "global">)
        signals(%e affine_map<(i) -> (i floordiv 2)> : !vdevice.event<2>)
    vdevice.run @square tasks [0, 2] place affine_map<(i) -> (i + 2)> ins(%b : memref<8xf32, "global">)
        outs(%c : memref<8xf32, "global">) waits(%e affine_map<(i) -> (0, 1, 2)> : !vdevice.event<2>)
    vdevice.run @square tasks [2, 4] place dense<[0, 3]> : tensor<2xi64> ins(%b : memref<8xf32, "global">)
        outs(%c : memref<8xf32, "global">)
        waits(%e dense<[[1, 1, 2], [1, 1, 1]]> : tensor<2x3xi64> : !vdevice.event<2>)
    vdevice.barrier
    vdevice.run @twice tasks [0, 4] place affine_map<(i) -> (0)> ins(%c : memref<8xf32, "global">)
        outs(%y : memref<8xf32>)
  }
}
"""
).replace("LAUNCH", LAUNCH)


def test_a_chain_with_events() -> None:
    x = random(8)
    (y,) = run(CHAIN, {"x": x})
    np.testing.assert_array_equal(y, (x + x) * (x + x) * 2)
    (again,) = run(CHAIN, {0: x})
    np.testing.assert_array_equal(again, y)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "(i) -> (0, 1, 2)",
            "(i) -> (0, 1, 3)",
            "task 0 waits for counter 0 of an event to reach 3, .* signals 2 times",
        ),
        ("(i) -> (0, 1, 2)", "(i) -> (0, 3, 2)", "a wait for counters 0 to 3 of an event of 2"),
        ("[1, 1, 1]]", "[1, 1, 3]]", "task 3 waits for counter 1 of an event to reach 3, .* signals 2 times"),
        ("[1, 1, 1]]", "[1, 2, 1]]", "a wait for counters 1 to 3 of an event of 2"),
        ("(i) -> (i floordiv 2)", "(i) -> (i)", "a signal to counter 3 of an event of 2"),
        ("place affine_map<(i) -> (i + 2)>", "place affine_map<(i) -> (i + 4)>", "task 0 is placed on vEU 4 of 4"),
        ("place dense<[0, 3]>", "place dense<[0, 4]>", "task 3 is placed on vEU 4 of 4"),
        ("tasks [2, 4] place dense<[0, 3]>", "tasks [3, 5] place dense<[0, 3]>", r"tasks \[3, 5\) of a kernel of 4"),
    ],
)
def test_wrong_programs_are_refused(old: str, new: str, message: str) -> None:
    assert old in CHAIN
    with pytest.raises(RammerError, match=message):
        run(CHAIN.replace(old, new), {"x": random(8)})


def test_buffers_that_share_bytes_overwrite_each_other() -> None:
    x = random(8)
    (y,) = run(CHAIN.replace("offset 128", "offset 80"), {"x": x})
    assert not np.allclose(y, (x + x) * (x + x) * 2)


def test_what_was_not_written_is_poison() -> None:
    text = CHAIN.replace("tasks [0, 4] place affine_map<(i) -> (0)>", "tasks [1, 4] place affine_map<(i) -> (0)>")
    (y,) = run(text, {"x": random(8)})
    np.testing.assert_array_equal(np.isnan(y), [True, True] + [False] * 6)


def test_wrong_inputs_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="no array is given for input x"):
        run(CHAIN, {})
    with pytest.raises(InvalidInputError, match=r"input x is float64\[8\]"):
        run(CHAIN, {"x": np.zeros(8)})
    with pytest.raises(InvalidInputError, match="no input y"):
        run(CHAIN, {"x": random(8), "y": random(8)})
    with pytest.raises(InvalidInputError, match="no program @other"):
        run_module(module_of(CHAIN), {}, {}, entry="other")


def test_a_buffer_beyond_the_arena_is_refused() -> None:
    text = CHAIN.replace('names ["x", "y"] {', 'names ["x", "y"] arena 128 {')
    with pytest.raises(RammerError, match="buffers end at byte 160 of an arena of 128"):
        run(text, {"x": random(8)})


RECURRENCE = (
    DEVICE
    + """
rop.weight @w : tensor<4x4xf32> hash "0"
rtask.kernel @first grid [1] reads [#rtask.box<(p) -> (0) by [4]>] writes [#rtask.box<(p) -> (0, 0) by [1, 4]>] {
^bb0(%p: index, %x: tensor<4xf32>, %y: tensor<6x4xf32>):
  %r = rop.generic bounds [4] maps [affine_map<(d)[p] -> (d)>, affine_map<(d)[p] -> (0, d)>]
      ins(%x : tensor<4xf32>) into(%y : tensor<6x4xf32>) at(%p) {
  ^bb1(%a: f32):
    rop.yield %a : f32
  } -> tensor<6x4xf32>
  rtask.yield %r : tensor<6x4xf32>
}
rtask.kernel @step grid [2] loops 1
    reads [#rtask.box<(p)[t] -> (t, 0) by [1, 4]>, #rtask.box<(p)[t] -> (p * 2, 0) by [2, 4]>]
    writes [#rtask.box<(p)[t] -> (t + 1, p * 2) by [1, 2]>] {
^bb0(%p: index, %t: index, %h: tensor<6x4xf32>, %w: tensor<4x4xf32>, %y: tensor<6x4xf32>):
  %r = rop.generic bounds [2, 4]
      maps [affine_map<(i, k)[p, t] -> (t, k)>, affine_map<(i, k)[p, t] -> (p * 2 + i, k)>,
            affine_map<(i, k)[p, t] -> (t + 1, p * 2 + i)>]
      reduce [add] ins(%h, %w : tensor<6x4xf32>, tensor<4x4xf32>) into(%y : tensor<6x4xf32>) at(%p, %t) {
  ^bb1(%a: f32, %b: f32):
    %m = arith.mulf %a, %b : f32
    rop.yield %m : f32
  } -> tensor<6x4xf32>
  rtask.yield %r : tensor<6x4xf32>
}
rtask.kernel @last grid [1] loops 1 reads [#rtask.box<(p)[t] -> (t, 0) by [1, 4]>]
    writes [#rtask.box<(p)[t] -> (t, 0) by [1, 4]>] {
^bb0(%p: index, %t: index, %x: tensor<6x4xf32>, %y: tensor<6x4xf32>):
  %r = rop.generic bounds [4] maps [affine_map<(d)[p, t] -> (t, d)>, affine_map<(d)[p, t] -> (t, d)>]
      ins(%x : tensor<6x4xf32>) into(%y : tensor<6x4xf32>) at(%p, %t) {
  ^bb1(%a: f32):
    rop.yield %a : f32
  } -> tensor<6x4xf32>
  rtask.yield %r : tensor<6x4xf32>
}
vdevice.program @main on @host inputs 1 names ["x", "y", "n"] {
^bb0(%x: memref<4xf32>, %y: memref<6x4xf32>, %n: index):
  %w = vdevice.weight @w : memref<4x4xf32, "weights">
  %h = vdevice.buffer offset 0 : memref<6x4xf32, "words">
  LAUNCH {
    vdevice.group [1, 3] {
      %p = vdevice.pin %w box <(p) -> (p * 2, 0) by [2, 4]> : memref<4x4xf32, "weights"> -> memref<2x4xf32, "pinned">
      vdevice.run @first tasks [0, 1] place affine_map<(i) -> (0)> ins(%x : memref<4xf32>)
          outs(%h : memref<6x4xf32, "words">)
      vdevice.for %t in %n {
        vdevice.run @step tasks [0, 2] place affine_map<(i) -> (i)>
            ins(%h, %p : memref<6x4xf32, "words">, memref<2x4xf32, "pinned">) outs(%h : memref<6x4xf32, "words">) at(%t)
        vdevice.run @last tasks [0, 1] place affine_map<(i) -> (0)> ins(%h : memref<6x4xf32, "words">)
            outs(%y : memref<6x4xf32>) at(%t)
      }
    }
  }
}
"""
).replace("LAUNCH", LAUNCH)


@pytest.mark.parametrize("length", [0, 1, 5])
def test_a_recurrence_through_words_with_pinned_weights(length: int) -> None:
    x, w = random(4), random(4, 4, seed=1)
    (y,) = run(RECURRENCE, {"x": x, "n": np.asarray(length)}, {"w": w})
    state, rows = x, np.full((6, 4), np.nan, np.float32)
    for step in range(length):
        rows[step] = state
        state = (w.astype(np.float64) @ state).astype(np.float32)
    np.testing.assert_array_equal(y, rows)


def test_a_vertical_unit_has_only_what_it_pins() -> None:
    text = RECURRENCE.replace(
        "@step tasks [0, 2] place affine_map<(i) -> (i)>", "@step tasks [0, 2] place affine_map<(i) -> (0)>"
    )
    (y,) = run(text, {"x": random(4), "n": np.asarray(2)}, {"w": random(4, 4, seed=1)})
    np.testing.assert_array_equal(np.isnan(y[1]), [False, False, True, True])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "#rtask.box<(p)[t] -> (t, 0) by [1, 4]>, #rtask",
            "#rtask.box<(p)[t] -> (t + 1, 0) by [1, 4]>, #rtask",
            "words",
        ),
        (
            "#rtask.box<(p)[t] -> (t + 1, p * 2) by [1, 2]>",
            "#rtask.box<(p)[t] -> (0, p * 2) by [1, 2]>",
            "a second time",
        ),
    ],
)
def test_words_that_are_missing_or_written_twice(old: str, new: str, message: str) -> None:
    with pytest.raises(RammerError, match=message):
        run(RECURRENCE.replace(old, new), {"x": random(4), "n": np.asarray(3)}, {"w": random(4, 4)})


def test_words_of_an_earlier_launch_do_not_count() -> None:
    run_of_first = RECURRENCE[RECURRENCE.index("      vdevice.run @first") : RECURRENCE.index("      vdevice.for")]
    text = RECURRENCE.replace(run_of_first, "").replace(LAUNCH, f"{LAUNCH} {{\n{run_of_first}\n}}\n{LAUNCH}")
    with pytest.raises(RammerError, match="waits for words"):
        run(text, {"x": random(4), "n": np.asarray(1)}, {"w": random(4, 4)})


def test_launches_in_a_loop_of_the_host() -> None:
    start = RECURRENCE.index(f"  {LAUNCH}")
    text = (
        RECURRENCE[:start].replace('"words"', '"global"')
        + f"""
  {LAUNCH} {{
    vdevice.run @first tasks [0, 1] place affine_map<(i) -> (0)> ins(%x : memref<4xf32>)
        outs(%h : memref<6x4xf32, "global">)
  }}
  vdevice.for %t in %n {{
    {LAUNCH} {{
      vdevice.run @step tasks [0, 2] place affine_map<(i) -> (i)>
          ins(%h, %w : memref<6x4xf32, "global">, memref<4x4xf32, "weights">)
          outs(%h : memref<6x4xf32, "global">) at(%t)
    }}
    {LAUNCH} {{
      vdevice.run @last tasks [0, 1] place affine_map<(i) -> (0)> ins(%h : memref<6x4xf32, "global">)
          outs(%y : memref<6x4xf32>) at(%t)
    }}
  }}
}}
"""
    )
    x, w = random(4), random(4, 4, seed=1)
    inputs = {"x": x, "n": np.asarray(4)}
    np.testing.assert_array_equal(run(text, inputs, {"w": w})[0], run(RECURRENCE, inputs, {"w": w})[0])
