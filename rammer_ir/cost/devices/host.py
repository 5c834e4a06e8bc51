"""The CPU of this machine: one vEU a core that this process may use."""

import os
from pathlib import Path

from rammer_ir.cost.devices.description import DeviceDescription, Rates

SCRATCH_BYTES = 256 * 1024
"""Scratch memory of a vEU: what a core's second-level cache holds."""


def cores() -> int:
    """The number of cores that this process may use."""
    # Not every system can say which.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


MOST_THREADS = 1024
"""Threads that a body may be written for: one core runs them one after another."""

CPU_FLAGS = Path("/proc/cpuinfo")
"""Where Linux lists the instruction sets of a CPU of the x86 family."""


def vector_registers() -> int:
    """Floats that the vector registers of a core hold: 32 x 16 with AVX-512, else 16 x 8 or 32 x 4."""
    try:
        has_avx512 = " avx512f " in CPU_FLAGS.read_text()
    except OSError:
        has_avx512 = False
    return 512 if has_avx512 else 128


def describe() -> DeviceDescription:
    """One core a vEU."""
    return DeviceDescription(
        name="host",
        kind="host",
        veus=cores(),
        threads=MOST_THREADS,
        shared_bytes=SCRATCH_BYTES,
        registers=vector_registers(),
        rates=Rates(
            multiply_adds_per_us=4.0e4,
            arithmetic_efficiency=0.25,
            tensor_multiply_adds_per_us=4.0e4 * 0.25,
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
