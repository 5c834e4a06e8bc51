"""Instructions of many vEUs sorted into streams: nothing that counts is lost, and nothing else is kept."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rammer_ir.lowering.emission.streams import assemble
from rammer_ir.lowering.emission.tables import OUTSIDE, IntArray, Rows, instruction_rows
from rammer_ir.runtime.program_image import Opcode

RUN, WAIT, SIGNAL, FOR, NEXT = (int(code) for code in (Opcode.RUN, Opcode.WAIT, Opcode.SIGNAL, Opcode.FOR, Opcode.NEXT))

Step = tuple[int, ...]


def rows(veu: int, words: Step, scope: int = OUTSIDE) -> Rows:
    return instruction_rows(np.array([veu]), Opcode(words[0]), words[1:], scope)


def run(task: int, descriptor: int = 0) -> Step:
    return (RUN, 0, descriptor, task, 1, 1)


def stream(table: IntArray, starts: tuple[int, ...], veu: int, base: int = 0) -> list[Step]:
    """The instructions of a vEU up to its end."""
    words = table[starts[veu] - base :].tolist()
    return [tuple(row) for row in words[: next(i for i, row in enumerate(words) if row[0] == Opcode.END)]]


def tasks(words: list[Step]) -> list[tuple[int, ...]]:
    """What is executed, task by task: runs spelled out, other instructions as they are."""
    result: list[tuple[int, ...]] = []
    for row in words:
        if row[0] == RUN:
            result += [(RUN, row[1], row[2], row[3] + i * row[5]) for i in range(row[4])]
        else:
            result.append(row)
    return result


def signal(counter: int) -> Step:
    return (SIGNAL, counter)


def wait(counter: int, threshold: int) -> Step:
    return (WAIT, counter, 1, threshold, 0, 0)


STEPS = st.one_of(
    st.builds(run, st.integers(0, 6), st.integers(0, 1)),
    st.builds(signal, st.integers(0, 2)),
    st.builds(wait, st.integers(0, 1), st.integers(1, 2)),
)


@given(st.lists(st.tuples(st.integers(0, 2), STEPS), max_size=30), st.integers(0, 1000))
def test_streams_hold_what_was_given(steps: list[tuple[int, Step]], base: int) -> None:
    table, starts = assemble([rows(veu, words) for veu, words in steps], 3, base)
    for veu in range(3):
        seen: set[Step] = set()
        wanted: list[Step] = []
        for owner, words in steps:
            padded = (*words, *[0] * (8 - len(words)))
            if owner != veu or (words[0] == WAIT and padded in seen):
                continue
            seen.add(padded)
            wanted.append((RUN, words[1], words[2], words[3]) if words[0] == RUN else padded)
        assert tasks(stream(table, starts, veu, base)) == wanted


@given(st.lists(st.integers(0, 40), min_size=1, max_size=40))
def test_groups_are_as_long_as_can_be(numbers: list[int]) -> None:
    """Each group of evenly spaced tasks ends where the next task would break the spacing."""
    table, starts = assemble([rows(0, run(number)) for number in numbers], 1, 0)
    groups = stream(table, starts, 0)
    for group, behind in pairwise(groups):
        count, step, last = group[4], group[5], group[3] + (group[4] - 1) * group[5]
        assert count == 1 or behind[3] != last + step
        assert count > 1 or behind[3] == last, "two tasks that differ make a group"


def test_steps_of_groups() -> None:
    table, starts = assemble([rows(0, run(number)) for number in (0, 2, 4, 5, 6, 9, 7)], 1, 0)
    assert [words[3:6] for words in stream(table, starts, 0)] == [(0, 3, 2), (5, 2, 1), (9, 2, -2)]


def test_waits_are_repeated_where_a_loop_begins_anew() -> None:
    repeated = (WAIT, 0, 1, 4, 4, 0)
    steps = [
        rows(0, repeated),
        rows(0, (FOR, 3, -1)),
        rows(0, repeated, scope=1),
        rows(0, run(0), scope=1),
        rows(0, repeated, scope=1),
        rows(0, (NEXT,)),
        rows(0, repeated),
        rows(1, repeated),
    ]
    table, starts = assemble(steps, 2, 100)
    assert starts == (100, 106)
    assert [words[0] for words in stream(table, starts, 0, 100)] == [WAIT, FOR, WAIT, RUN, NEXT]
    assert table[1, 3] == 105, "the loop's start knows what is behind its end"
    assert table[4, 1] == 102, "the loop's end knows what is behind its start"
    assert [words[0] for words in stream(table, starts, 1, 100)] == [WAIT]


def test_empty_loops_vanish() -> None:
    steps = [rows(0, (FOR, 3, -1)), rows(1, (FOR, 3, -1)), rows(1, run(0), 1), rows(0, (NEXT,)), rows(1, (NEXT,))]
    table, starts = assemble(steps, 2, 0)
    assert stream(table, starts, 0) == []
    assert [words[0] for words in stream(table, starts, 1)] == [FOR, RUN, NEXT]


@pytest.mark.parametrize(("length", "steps"), [((3, -1), 3), ((0, 1), -2)], ids=["known", "at run time"])
def test_loops_around_one_task_of_a_body_with_steps(length: tuple[int, int], steps: int) -> None:
    batches = [rows(0, (FOR, *length)), rows(0, run(7), scope=1), rows(0, (NEXT,))]
    table, starts = assemble(batches, 1, 0, with_steps={0})
    (words,) = stream(table, starts, 0)
    assert (words[0], words[3], words[7]) == (RUN, 7, steps)
    assert len(stream(*assemble(batches, 1, 0, with_steps={1}), 0)) == 3, "a body of another number"
    twice = [*batches[:2], rows(0, run(9), scope=1), batches[2]]
    assert len(stream(*assemble(twice, 1, 0, with_steps={0}), 0)) == 3, "two tasks take turns"


def test_large_program() -> None:
    """10^5 tasks on 132 vEUs, each after a wait; every vEU waits once for each counter."""
    count = 100_000
    task = np.arange(count)
    veus = task % 132
    waits = instruction_rows(veus, Opcode.WAIT, (task // 1000, 1, 1, 0, 0), OUTSIDE)
    runs = instruction_rows(veus, Opcode.RUN, (0, 0, task, 1, 1), OUTSIDE)
    words = np.stack([waits.words, runs.words], axis=1).reshape(-1, 8)
    table, _ = assemble([Rows(np.repeat(veus, 2), words, OUTSIDE)], 132, 0)
    waits_kept = int((table[:, 0] == WAIT).sum())
    assert waits_kept == 100 * 132
    assert int(table[table[:, 0] == RUN, 4].sum()) == count
