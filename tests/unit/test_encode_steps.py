"""Loops, barriers, thresholds and refusals of encoding, on programs of one small kernel."""

from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.errors import CompileError
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.parsing import parse_module
from rammer_ir.runtime.cache import CompileCache
from rammer_ir.runtime.host.program import HostProgram
from rammer_ir.runtime.program_image import HostLoop, Opcode, ProgramImage

HOST = 'vdevice.device @device kind "host" veus 2 threads 1024 shared 262144 registers 0\n'

Floats = NDArray[np.float32]
X = np.array([0.5, -1.0, 2.0, 3.0], np.float32)


def run(image: ProgramImage, scalars: dict[str, int]) -> Floats:
    """Runs once on X, on memory that holds NaN until it is written."""
    loaded = HostProgram(image, cache=CompileCache(), poison=True, oversubscribe=True)
    try:
        return cast("Floats", loaded.run({"x": X, **scalars})["y"])
    finally:
        loaded.close()


STEPS = """
rtask.kernel @step grid [4] reads [#rtask.box<(i) -> (i) by [1]>] writes [#rtask.box<(i) -> (i) by [1]>] {
^bb0(%i: index, %x: tensor<4xf32>, %y: tensor<4xf32>):
  rtask.yield %y : tensor<4xf32>
} implementation @step_block []
block.body @step_block threads 32 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">):
  %n = arith.constant 1 : index
  %one = arith.constant 1.0 : f32
  block.parallel thread (%i) in %n {
    %v = memref.load %x[%task] : memref<?xf32, "global">
    %w = arith.addf %v, %one : f32
    memref.store %w, %y[%task] : memref<?xf32, "global">
  }
  block.yield
}
vdevice.program @steps on @device inputs 1 names ["x", "y", "n"] arena 256 {
^bb0(%x: memref<4xf32>, %y: memref<4xf32>, %n: index):
  %b = vdevice.buffer offset 0 : memref<4xf32, "global">
  %three = arith.constant 3 : index
BODY
}
"""
LAUNCH = "vdevice.launch veus 2 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0"

BUFFER = 'memref<4xf32, "global">'


def step(source: str, target: str, place: str = "i mod 2", tasks: str = "[0, 4]", rest: str = "") -> str:
    """A run of the step from one array to another."""
    types = {"x": "memref<4xf32>", "y": "memref<4xf32>", "w": 'memref<4xf32, "weights">'}
    return (
        f"vdevice.run @step tasks {tasks} place affine_map<(i) -> ({place})> "
        f"ins(%{source} : {types.get(source, BUFFER)}) outs(%{target} : {types.get(target, BUFFER)}) {rest}\n"
    )


def steps(body: str, device: str = HOST) -> ModuleOp:
    module = parse_module(new_context(), device + STEPS.replace("BODY", body))
    module.verify()
    return module


def test_loop_of_the_host() -> None:
    image = encode(
        steps(
            f"""
            {LAUNCH} {{ {step("x", "b")} }}
            vdevice.for %t in %n {{
              {LAUNCH} {{ {step("b", "b")} }}
              {LAUNCH} {{ {step("b", "b")} }}
            }}
            {LAUNCH} {{ {step("b", "y")} }}
            """
        )
    )
    assert image.host_loops == (HostLoop(1, 2, 0, "n"),)
    assert len(image.launches) == 4
    assert [launch.name for launch in image.launches] == ["steps_0", "steps_1", "steps_2", "steps_3"]
    np.testing.assert_allclose(run(image, {"n": 5}), X + 12, rtol=1e-6)


ROWS = """
rtask.kernel @row grid [2] loops 1 reads [#rtask.box<(i)[t] -> (t * 2 + i) by [1]>]
    writes [#rtask.box<(i)[t] -> (t * 2 + i) by [1]>] {
^bb0(%i: index, %t: index, %x: tensor<4xf32>, %y: tensor<4xf32>):
  rtask.yield %y : tensor<4xf32>
} implementation @row_block []
block.body @row_block threads 32 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">):
  %n = arith.constant 1 : index
  %two = arith.constant 2 : index
  %one = arith.constant 1.0 : f32
  %begin = arith.muli %t, %two : index
  %place = arith.addi %begin, %task : index
  block.parallel thread (%i) in %n {
    %v = memref.load %x[%place] : memref<?xf32, "global">
    %w = arith.addf %v, %one : f32
    memref.store %w, %y[%place] : memref<?xf32, "global">
  }
  block.yield
}
"""


def row(at: str, rest: str = "") -> str:
    """A run of two elements of x, those at a loop index."""
    place = "place affine_map<(i) -> (i)>"
    return f"vdevice.run @row tasks [0, 2] {place} ins(%x : memref<4xf32>) outs(%y : memref<4xf32>) at(%{at}) {rest}\n"


def test_runs_at_a_constant() -> None:
    """What is unrolled has constants for loop indices: its instructions say the iteration."""
    body = f"""
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      {LAUNCH} {{ {row("zero")} {row("one")} }}
    """
    image = encode(steps(body, HOST + ROWS))
    np.testing.assert_allclose(run(image, {"n": 0}), X + 1, rtol=1e-6)
    runs = image.instructions[image.instructions[:, 0] == Opcode.RUN]
    assert runs[:, 6].tolist() == [0, 1, 0, 1]


def test_waits_and_signals_at_a_constant() -> None:
    body = f"""
      %one = arith.constant 1 : index
      {LAUNCH} {{
        %e = vdevice.event : !vdevice.event<2>
        {row("one", "signals(%e affine_map<(i)[t] -> (t)> : !vdevice.event<2>)")}
        {row("one", "waits(%e affine_map<(i)[t] -> (t, 1, t + 1)> : !vdevice.event<2>)")}
      }}
    """
    table = encode(steps(body, HOST + ROWS)).instructions
    assert table[table[:, 0] == Opcode.SIGNAL, 1].tolist() == [1, 1]
    assert table[table[:, 0] == Opcode.WAIT, 1:5].tolist() == [[1, 1, 2, 0]] * 2


def test_waits_by_table() -> None:
    """A row of zeros is no instruction."""
    body = f"""
      %one = arith.constant 1 : index
      {LAUNCH} {{
        %d = vdevice.event : !vdevice.event<1>
        %e = vdevice.event : !vdevice.event<3>
        {row("one", "signals(%e affine_map<(i) -> (i)> : !vdevice.event<3>)")}
        {row("one", "waits(%e dense<[[0, 0, 0], [1, 2, 3]]> : tensor<2x3xi64> : !vdevice.event<3>)")}
      }}
    """
    table = encode(steps(body, HOST + ROWS)).instructions
    assert table[table[:, 0] == Opcode.WAIT, 1:6].tolist() == [[2, 2, 3, 0, 1]]


def test_a_constant_is_no_index_in_a_loop() -> None:
    body = f"""
      %one = arith.constant 1 : index
      vdevice.for %t in %three {{
        {LAUNCH} {{ {row("one")} }}
      }}
    """
    with pytest.raises(CompileError, match="or a constant outside of loops"):
        encode(steps(body, HOST + ROWS))


def test_loop_of_a_launch_and_barriers() -> None:
    image = encode(
        steps(
            f"""
            {LAUNCH} {{
              {step("x", "b")}
              vdevice.barrier
              vdevice.for %t in %three {{
                {step("b", "b", place="(i + 1) mod 2")}
                vdevice.barrier
              }}
              {step("b", "y")}
            }}
            """
        )
    )
    np.testing.assert_allclose(run(image, {"n": 0}), X + 5, rtol=1e-6)
    first = image.instructions[: image.launches[0].streams[1]].tolist()
    assert [Opcode(words[0]).name for words in first] == [
        "RUN",
        "BARRIER",
        "FOR",
        "RUN",
        "BARRIER",
        "NEXT",
        "RUN",
        "END",
    ]
    assert first[2] == [Opcode.FOR, 3, -1, 6, 0, 0, 0, 0]
    assert first[5] == [Opcode.NEXT, 3, 0, 0, 0, 0, 0, 0]
    assert first[0][3:6] == [0, 2, 2]
    assert image.barriers == 1


def test_barriers_of_groups() -> None:
    """The launch and each of its groups have a barrier of their own; one vEU needs none; loops without work vanish."""
    launch = LAUNCH.replace("veus 2", "veus 3")
    image = encode(
        steps(
            f"""
            {launch} {{
              vdevice.barrier
              vdevice.group [0, 2] {{
                vdevice.barrier
                {step("x", "b", place="0")}
                vdevice.barrier
              }}
              vdevice.group [2, 3] {{
                vdevice.barrier
                {step("x", "y", place="0", tasks="[1, 3]")}
                vdevice.for %t in %three {{ vdevice.barrier }}
              }}
              vdevice.barrier
            }}
            """
        )
    )
    streams = image.launches[0].streams
    last = image.instructions[streams[2] :].tolist()
    barrier = [Opcode.BARRIER, 0]
    assert [words[:2] for words in last] == [barrier, [Opcode.RUN, 0], barrier, [Opcode.END, 0]]
    assert last[1][3:6] == [1, 2, 1]
    first = image.instructions[: streams[1]].tolist()
    assert [words[1:3] for words in first if words[0] == Opcode.BARRIER] == [[0, 3], [1, 2], [1, 2], [0, 3]]
    assert image.barriers == 2


def test_thresholds_grow_with_the_loop() -> None:
    event = "!vdevice.event<2>"
    image = encode(
        steps(
            f"""
            {LAUNCH} {{
              %e = vdevice.event : {event}
              vdevice.for %t in %n {{
                {step("x", "b", rest=f"signals(%e affine_map<(i) -> (i mod 2)> : {event})")}
              }}
            }}
            """
        )
    )
    assert [list(words) for words in image.instructions[1:3]] == [
        [Opcode.RUN, 0, 0, 0, 1, 1, 0, 0],
        [Opcode.SIGNAL, 0, 0, 0, 0, 0, 0, 0],
    ]
    waits = f"waits(%e affine_map<(i)[t] -> (0, 2, t * 4 + 4)> : {event})"
    looped = STEPS.replace("grid [4]", "grid [4] loops 1").replace("(i) -> (i) by", "(i)[t] -> (i) by")
    looped = looped.replace("^bb0(%i: index, %x", "^bb0(%i: index, %t: index, %x").replace(
        "BODY",
        f"""
        {LAUNCH} {{
          %e = vdevice.event : {event}
          vdevice.for %t in %n {{ {step("x", "b", rest=f"at(%t) {waits}")} }}
        }}
        """,
    )
    image = encode(parse_module(new_context(), HOST + looped))
    first = image.instructions[: image.launches[0].streams[1]].tolist()
    assert first[1] == [Opcode.WAIT, 0, 2, 4, 4, 0, 0, 0]
    assert first[2] == [Opcode.RUN, 0, 0, 0, 2, 2, 0, 0]
    assert first[0] == [Opcode.FOR, 0, 0, 4, 0, 0, 0, 0]


RUN = step("x", "y")
REFUSED = [
    (f"{LAUNCH} {{ {step('x', 'y', place='i')} }}", "task 2 of @step is placed on vEU 2 of 2"),
    (f"{LAUNCH} {{ {step('x', 'y', tasks='[0, 5]')} }}", "@step has 4 tasks, the run goes to 5"),
    (f"{LAUNCH} {{ {step('b', 'x')} }}", "an input of the program is written"),
    (f"{LAUNCH} {{ {RUN.replace('@step', '@stop')} }}", "there is no kernel @stop"),
    (f"{LAUNCH.replace('threads 32', 'threads 64')} {{ {RUN} }}", "is for 32 threads, the launch has 64"),
    (
        f'%c = vdevice.buffer : memref<4xf32, "global"> {LAUNCH} {{ {step("c", "y")} }}',
        "a buffer has no offset in the arena: run plan-memory",
    ),
    (
        f'%w = vdevice.weight @w : memref<4xf32, "weights"> {LAUNCH} {{ {step("w", "y")} }}',
        "there is no weight @w",
    ),
    (f'"test.op"() : () -> () {LAUNCH} {{ {RUN} }}', "test.op has no form in a program"),
    (f'{LAUNCH} {{ "test.op"() : () -> () }}', "test.op has no form in a launch"),
    (
        f"%m = arith.addi %n, %n : index vdevice.for %t in %m {{ {LAUNCH} {{ {RUN} }} }}",
        "arith.addi has no form in a program",
    ),
]


@pytest.mark.parametrize(("body", "message"), REFUSED)
def test_refusals(body: str, message: str) -> None:
    with pytest.raises(CompileError, match=r"<text>:\d+:\d+: ") as caught:
        encode(steps(body))
    assert message in caught.value.message


EVENT = "!vdevice.event<2>"


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (f"waits(%e affine_map<(i) -> (i, 1, 1)> : {EVENT})", "counter 2 of an event of 2 counters"),
        (f"waits(%e affine_map<(i) -> (1, 2, 1)> : {EVENT})", "counter 1 of an event of 2 counters"),
        (f"signals(%e affine_map<(i) -> (i)> : {EVENT})", "counter 2 of an event of 2 counters"),
    ],
)
def test_counters_out_of_range(rest: str, message: str) -> None:
    body = f"{LAUNCH} {{ %e = vdevice.event : {EVENT} {step('x', 'y', rest=rest)} }}"
    with pytest.raises(CompileError, match=message):
        encode(steps(body))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (" implementation @step_block []", "", "kernel @step has no implementation"),
        ("implementation @step_block []", "implementation @step_block [1]", "it is given 2 and 1"),
        ("implementation @step_block []", "implementation @other []", "there is no kernel body @other"),
        ("arena 256", "", "the program has buffers, and no arena: run plan-memory"),
        ("on @device", "on @absent", "there is no device @absent: run set-device first"),
        ("grid [4] reads", "grid [4] loops 1 reads", "@step takes 1 loop indices, the run gives 0"),
        (
            "block.body @step_block",
            "func.func @step_block() { func.return } block.body @unused",
            "@step_block is no kernel body",
        ),
    ],
)
def test_programs_that_do_not_fit_together(old: str, new: str, message: str) -> None:
    text = HOST + STEPS.replace("BODY", f"{LAUNCH} {{ {RUN} }}")
    assert old in text
    with pytest.raises(CompileError) as caught:
        encode(parse_module(new_context(), text.replace(old, new)))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("operand", "space", "message"),
    [
        ("x", "pinned", 'memref<4xf32> is given to a body that takes it in memory space "pinned"'),
        ("x", "words", 'memref<4xf32> is given to a body that takes it in memory space "words"'),
        ("y", "words", 'memref<4xf32> is given to a body that takes it in memory space "words"'),
    ],
)
def test_memory_spaces(operand: str, space: str, message: str) -> None:
    text = HOST + STEPS.replace("BODY", f"{LAUNCH} {{ {RUN} }}")
    for use in (f"%{operand}:", f"%{operand}[%task] :"):
        text = text.replace(f'{use} memref<?xf32, "global">', f'{use} memref<?xf32, "{space}">')
    with pytest.raises(CompileError) as caught:
        encode(parse_module(new_context(), text))
    assert message in str(caught.value)


def test_outputs_are_no_weights() -> None:
    text = STEPS.replace("BODY", f"{LAUNCH} {{ {RUN} {step('y', 'b')} }}")
    for use in ("%x:", "%x[%task] :"):
        text = text.replace(f'{use} memref<?xf32, "global">', f'{use} memref<?xf32, "weights">')
    with pytest.raises(CompileError, match="an output of the program is given to a body as a weight"):
        encode(parse_module(new_context(), HOST + text))


def test_a_module_without_a_program() -> None:
    with pytest.raises(CompileError, match=r"a module with one vdevice\.program is encoded, this one has 0"):
        encode(parse_module(new_context(), HOST))
