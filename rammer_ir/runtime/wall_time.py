"""Wall time of repeated calls."""

import time
from collections.abc import Callable

from rammer_ir.runtime.interface import Measurement


def measure_wall_time(call: Callable[[], object], *, runs: int, warmup: int) -> Measurement:
    """Wall time of `runs` calls, after `warmup` calls that do not count."""
    seconds: list[float] = []
    for number in range(-warmup, runs):
        start = time.perf_counter()
        call()
        if number >= 0:
            seconds.append(time.perf_counter() - start)
    return Measurement(tuple(seconds), clock="wall", cache="warm")
