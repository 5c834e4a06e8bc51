"""Program images that no runtime could walk are refused, whoever wrote them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rammer_ir.errors import VerificationError
from rammer_ir.runtime.image_checks import check_tables
from rammer_ir.runtime.program_image import Binding, Event, HostLoop, Opcode, ProgramImage, Space
from rammer_ir.testing.program_images import ImageBuilder, Loop, Operand, barrier, pin, signal, wait


def program() -> ProgramImage:
    """Instructions: PIN, FOR, RUN, NEXT, SIGNAL, WAIT, BARRIER, END. The descriptor has two operands, a parameter."""
    event = Event("part", 0, 2)
    builder = ImageBuilder(
        "program",
        inputs=(Binding("x", (8,), "float32"),),
        outputs=(Binding("y", (32,), "float32"),),
        scalars=("count",),
        events=(event,),
        barriers=1,
        arena_bytes=512,
        weight_bytes=256,
        host_loops=(HostLoop(0, 1, 3),),
    )
    body = builder.body("work", "")
    operands = [Operand(Space.ARENA, 256), Operand(builder.space("y"), 64, 4)]
    run = builder.run(body, operands, [1], node="/node")
    stream = [pin(Space.WEIGHTS, 64, offset=192), Loop([run], 4), signal(event), wait(event, 1), barrier(0, 1)]
    builder.launch([stream], pinned_bytes=64)
    return builder.image()


def test_a_good_image_is_accepted() -> None:
    check_tables(program())


@pytest.mark.parametrize(
    ("row", "word", "value", "message"),
    [
        (4, 0, 8, "instruction 4 has no known opcode"),
        (4, 0, -1, "instruction 4 has no known opcode"),
        (2, 3, -1, "runs tasks with numbers below 0 or beyond 32 bits"),
        (2, 4, -1, "runs tasks with numbers below 0 or beyond 32 bits"),
        (2, 5, -9, None),
        (0, 3, 80, "'launch0' pins more than its 64 bytes"),
        (0, 4, 208, "'launch0' pins what lies outside of its memory"),
        (0, 5, -1, "'launch0' pins what lies outside of its memory"),
        (1, 2, -2, "the loop at instruction 1 has no such scalar"),
        (5, 2, -1, "a wait is for counters that do not exist"),
        (5, 2, 2**31 - 1, "a wait is for counters that do not exist"),
        (6, 2, 2, "more vEUs meet at a barrier than there are"),
        (6, 2, 0, "more vEUs meet at a barrier than there are"),
        (2, 2, 15, "a descriptor ends outside of the table"),
    ],
)
def test_instructions(row: int, word: int, value: int, message: str | None) -> None:
    image = program()
    instructions = image.instructions.copy()
    instructions[row, word] = value
    changed = replace(image, instructions=instructions)
    if message is None:
        check_tables(changed)
    else:
        with pytest.raises(VerificationError, match=f"^program: .*{message}"):
            check_tables(changed)


def test_a_step_below_the_first_task() -> None:
    image = program()
    instructions = image.instructions.copy()
    instructions[2, 3:6] = (4, 3, -3)
    with pytest.raises(VerificationError, match="runs tasks with numbers below 0"):
        check_tables(replace(image, instructions=instructions))


@pytest.mark.parametrize(
    ("word", "value", "message"),
    [
        (0, 4, "a descriptor ends outside of the table"),
        (0, -1, "a descriptor ends outside of the table"),
        (1, 5, "a descriptor ends outside of the table"),
        (4, 5, r"operand 0 of the descriptor at 0 begins outside of its memory \(space 5, offset 256\)"),
        (4, -1, r"operand 0 .*\(space -1, offset 256\)"),
        (6, 513, r"operand 0 .*\(space 0, offset 513\)"),
        (7, -1, r"operand 0 .*\(space 0, offset -4294967040\)"),
        (10, 129, r"operand 1 .*\(space 4, offset 129\)"),
        (10, 128, None),
    ],
)
def test_descriptors(word: int, value: int, message: str | None) -> None:
    image = program()
    descriptors = image.descriptors.copy()
    descriptors[word] = value
    changed = replace(image, descriptors=descriptors)
    if message is None:
        check_tables(changed)
    else:
        with pytest.raises(VerificationError, match=message):
            check_tables(changed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"streams": ()}, "it has 0 vEUs"),
        ({"streams": (8,)}, "the stream at instruction 8 has no end"),
        ({"streams": (-1,)}, "the stream at instruction -1 has no end"),
        ({"streams": (2,)}, "a stream begins inside of a loop"),
        ({"streams": (3,)}, "a stream begins inside of a loop"),
        ({"scratch_bytes": 2**40}, "needs 1099511627840 bytes"),
    ],
)
def test_launches(changes: dict[str, Any], message: str) -> None:
    image = program()
    with pytest.raises(VerificationError, match=message):
        check_tables(replace(image, launches=(replace(image.launches[0], **changes),)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"launches": ()}, "there is no launch"),
        ({"barriers": 2**40}, "there are too many counters"),
        ({"host_loops": (HostLoop(0, 2, 1),)}, "the host's loop over launches from 0"),
        ({"host_loops": (HostLoop(0, 0, 1),)}, "the host's loop over launches from 0"),
        ({"host_loops": (HostLoop(0, 1, 1),) * 2}, "the host's loop over launches from 0"),
        ({"host_loops": (HostLoop(0, 1, 1, "z"),)}, "has no scalar 'z'"),
        ({"weights": (("w", 257),)}, "weight @w lies outside of the weights"),
        ({"provenance": {16: "/node"}}, "nodes for descriptors that do not exist"),
        (
            {"inputs": (Binding("x", (2**40, 2**40), "float32"),)},
            "an input or an output is larger than any memory",
        ),
        ({"instructions": np.zeros((2, 7), np.int32)}, r"not of shape \[n, 8\]"),
    ],
)
def test_programs(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(VerificationError, match=message):
        check_tables(replace(program(), **changes))


def test_the_opcodes_are_where_the_cases_say() -> None:
    names = [Opcode(int(word)).name for word in program().instructions[:, 0]]
    assert names == "PIN FOR RUN NEXT SIGNAL WAIT BARRIER END".split()
