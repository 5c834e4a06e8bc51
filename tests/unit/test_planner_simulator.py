"""The simulator, against the recursion that the DAPPLE planner evaluates and against schedules that are known."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rammer_ir.errors import InvalidInputError
from rammer_ir.planner.recursion import recursive_length
from rammer_ir.planner.simulator import PipelineTimes, Warmup, simulate, simulated_length, warmup_depths

SECONDS = st.floats(0, 10)


@given(
    stages=st.integers(1, 5).flatmap(
        lambda count: st.tuples(*[st.lists(SECONDS, min_size=2 * count - 1, max_size=2 * count - 1)] * 3)
    ),
    micro_batches=st.integers(1, 9),
    policy=st.sampled_from(["A", "B"]),
    limit=st.sampled_from([None, 1, 2, 4]),
)
def test_the_recursion_agrees(
    stages: tuple[list[float], list[float], list[float]], micro_batches: int, policy: Warmup, limit: int | None
) -> None:
    forward, backward, reduced = map(tuple, stages)
    times = PipelineTimes(forward, backward, reduced)
    depths = warmup_depths(policy, len(forward), micro_batches, limit)
    schedule = simulate(times, micro_batches, depths)
    assert schedule.length == pytest.approx(recursive_length(times, micro_batches, depths), abs=1e-9)
    for stage in range(len(forward)):
        tasks = sorted(
            (task.start, task.end) for task in schedule.tasks if task.stage == stage and task.end > task.start
        )
        assert all(a[1] <= b[0] + 1e-9 for a, b in itertools.pairwise(tasks)), "a stage does one thing at a time"


def test_balanced_stages() -> None:
    """S stages without transfers take M + S - 1 passes of each kind."""
    times = PipelineTimes((1.0, 0.0, 1.0, 0.0, 1.0), (2.0, 0.0, 2.0, 0.0, 2.0), (0.0,) * 5)
    schedule = simulate(times, 8, warmup_depths("A", 5, 8))
    assert schedule.length == pytest.approx((8 + 3 - 1) * 3)
    assert schedule.in_flight == (5, 4, 3, 2, 1)
    assert schedule.busy[0] == pytest.approx(24 / 30)


def test_more_warm_up_hides_transfers() -> None:
    times = PipelineTimes((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    lengths = [simulate(times, 12, warmup_depths(policy, 3, 12)).length for policy in ("A", "B")]
    assert lengths[1] <= lengths[0]


def test_all_reduce_follows_the_last_backward_pass() -> None:
    schedule = simulate(PipelineTimes((1.0,), (2.0,), (5.0,)), 2, (1,))
    assert schedule.length == 11
    assert schedule.tasks[-1].kind == "all_reduce"
    assert simulated_length(PipelineTimes((1.0,), (2.0,), (5.0,)), 2, (1,)) == 11


def test_order() -> None:
    schedule = simulate(PipelineTimes((1.0, 1.0), (1.0, 1.0), (0.0, 0.0)), 3, (2, 1))
    assert [f"{task.kind[0]}{task.micro_batch}" for task in schedule.tasks if task.stage == 0] == [
        *("f0", "f1", "b0", "f2", "b1", "b2"),
    ]


def test_a_schedule_that_waits_for_itself() -> None:
    with pytest.raises(InvalidInputError, match="waits for itself"):
        simulate(PipelineTimes((1.0, 1.0), (1.0, 1.0), (0.0, 0.0)), 3, (1, 2))


def test_wrong_depth() -> None:
    with pytest.raises(InvalidInputError, match="at least one"):
        warmup_depths("A", 3, 4, 0)
