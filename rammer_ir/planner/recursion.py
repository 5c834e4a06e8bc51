"""
The length of a pipelined iteration by the recursion that the DAPPLE planner's sources evaluate, as a check of the
simulator.

    f(i, x) = F_x + max(f(i, x - 1), f(i - 1, x), b(i - K_x, x))
    b(i, x) = B_x + max(b(i, x + 1), b(i - 1, x), f(i + K_x - 1, x))

are the ends of the passes of micro-batch i at stage x; what is out of range is zero. HPGO 0.9.2 lacks b(i - 1, x).
"""

from collections.abc import Iterator, Sequence

from rammer_ir.planner.simulator import PipelineTimes

_Pass = tuple[bool, int, int]
"""Whether it is a forward pass, the micro-batch, the stage."""


def recursive_length(times: PipelineTimes, micro_batches: int, depths: Sequence[int]) -> float:
    """Seconds until the last all-reduce ends."""
    ends: dict[_Pass, float] = {}
    stages = len(times.forward)
    stack: list[_Pass] = [(False, micro_batches - 1, x) for x in range(stages)]
    while stack:
        current = stack[-1]
        if current in ends:
            stack.pop()
            continue
        needed = [
            other for other in _needs(current, depths) if 0 <= other[1] < micro_batches and 0 <= other[2] < stages
        ]
        missing = [other for other in needed if other not in ends]
        if missing:
            stack += missing
            continue
        forward, _, x = current
        ends[current] = max((ends[other] for other in needed), default=0.0) + (
            times.forward[x] if forward else times.backward[x]
        )
    return max(ends[False, micro_batches - 1, x] + times.all_reduce[x] for x in range(stages))


def _needs(current: _Pass, depths: Sequence[int]) -> Iterator[_Pass]:
    forward, i, x = current
    if forward:
        yield True, i, x - 1
        yield True, i - 1, x
        yield False, i - depths[x], x
    else:
        yield False, i, x + 1
        yield False, i - 1, x
        yield True, i + depths[x] - 1, x
