"""From plans to instructions: every plan's program verifies, and does what the plan says."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rammer_ir.dialects.pipeline_parallel import BackwardOp, ForwardOp, PassOp, ProgramOp, SendOp
from rammer_ir.planner.instructions import plan_program, split_rows
from rammer_ir.planner.latency import Stage
from rammer_ir.planner.saved_plan import SavedPlan
from rammer_ir.planner.simulator import Warmup


def saved(
    replicas: list[int], *, pipelines: int = 1, micro_batches: int = 4, batch: int = 8, ahead: bool = False
) -> SavedPlan:
    """Two states a stage; devices in order."""
    ends = [0, *accumulate(count * pipelines for count in replicas)]
    stages = [
        Stage(2 * number, 2 * number + 1, count, tuple(range(first, end)))
        for number, (count, (first, end)) in enumerate(zip(replicas, pairwise(ends), strict=True))
    ]
    names = tuple(f"layer {state}" for state in range(2 * len(replicas)))
    return SavedPlan(tuple(stages), pipelines, micro_batches, batch, names, {"A": 1.0, "B": 1.0}, ahead)


def program_of(plan: SavedPlan, warmup: Warmup = "A", depth: int | None = None) -> ProgramOp:
    (program,) = plan_program(plan, warmup, depth).ops
    assert isinstance(program, ProgramOp)
    return program


@settings(max_examples=60)
@given(
    replicas=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    pipelines=st.integers(1, 3),
    micro_batches=st.integers(1, 5),
    more=st.integers(0, 20),
    warmup=st.sampled_from(["A", "B"]),
    depth=st.sampled_from([None, 1, 2]),
    ahead=st.booleans(),
)
def test_every_program_verifies(
    replicas: list[int], pipelines: int, micro_batches: int, more: int, warmup: Warmup, depth: int | None, ahead: bool
) -> None:
    """So every stage computes each row once, what is received is sent, and no rank waits for ever."""
    plan = saved(
        replicas, pipelines=pipelines, micro_batches=micro_batches, batch=pipelines * micro_batches + more, ahead=ahead
    )
    program = program_of(plan, warmup, depth)
    assert [rank.number for rank in program.ranks] == list(range(plan.ranks))
    for rank in program.ranks:
        own = {op.micro_batch for op in rank.instructions if isinstance(op, PassOp)}
        pipeline = (rank.number - plan.stages[rank.stage].devices[0]) // replicas[rank.stage]
        assert own <= set(range(pipeline * micro_batches, (pipeline + 1) * micro_batches))


def test_early_backward_order() -> None:
    program = program_of(saved([1, 1], micro_batches=3, batch=3))
    first, second = (
        "".join(f"{'f' if isinstance(op, ForwardOp) else 'b'}{op.micro_batch}" for op in passes)
        for passes in ([op for op in rank.instructions if isinstance(op, PassOp)] for rank in program.ranks)
    )
    assert (first, second) == ("f0f1b0f2b1b2", "f0b0f1b1f2b2")


@pytest.mark.parametrize(("warmup", "depth", "most"), [("A", None, 3), ("B", None, 5), ("B", 2, 2)])
def test_micro_batches_in_flight(warmup: Warmup, depth: int | None, most: int) -> None:
    program = program_of(saved([1, 1, 1], micro_batches=8, batch=8), warmup, depth)
    held = accumulate(
        1 if isinstance(op, ForwardOp) else -1 if isinstance(op, BackwardOp) else 0
        for op in program.ranks[0].instructions
    )
    assert max(held) == most


def test_split_and_concat() -> None:
    """Eleven ranks split a micro-batch of 55 rows into fives, five ranks into elevens."""
    program = program_of(saved([11, 5], micro_batches=1, batch=55))
    sent = [[(op.rows, op.peer) for op in rank.instructions if isinstance(op, SendOp)] for rank in program.ranks[:11]]
    assert sent[:3] == [[((0, 5), 11)], [((5, 10), 11)], [((10, 11), 11), ((11, 15), 12)]]


def test_a_row_for_each_replica_in_turn() -> None:
    assert split_rows((0, 7), 2) == [(0, 3), (3, 7)]
    assert split_rows((4, 5), 3) == [(4, 4), (4, 5), (4, 4)]
    rows = [split_rows((row, row + 1), 4) for row in range(8)]
    assert [sum(parts[part][1] - parts[part][0] for parts in rows) for part in range(4)] == [2, 2, 2, 2]
