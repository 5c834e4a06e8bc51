"""The CPU of this machine: one vEU a core that this process may use."""

import os

from rammer_ir.cost.devices.description import DeviceDescription, Rates

SCRATCH_BYTES = 256 * 1024
"""Scratch memory of a vEU: what a core's second-level cache holds."""


def cores() -> int:
    """The number of cores that this process may use."""
    # Not every system can say which.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


MOST_THREADS = 1024
"""Threads that a body may be written for: one core runs them one after another."""


def describe() -> DeviceDescription:
    """One core a vEU."""
    return DeviceDescription(
        name="host",
        kind="host",
        veus=cores(),
        threads=MOST_THREADS,
        shared_bytes=SCRATCH_BYTES,
        registers=0,
        rates=Rates(
            multiply_adds_per_us=4.0e4,
            arithmetic_efficiency=0.25,
            cache_bytes_per_us=2.0e4,
            memory_bytes_per_us=2.0e4,
            memory_bytes_per_us_of_veu=1.0e4,
            task_us=0.5,
            barrier_us=5.0,
            launch_us=20.0,
            handover_us=2.0,
        ),
        source="cores counted; rates estimated for a core of 2.5 GHz with two 8-wide fused multiply-add units",
    )
