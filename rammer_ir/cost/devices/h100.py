"""NVIDIA H100 SXM, 80 GB."""

from rammer_ir.cost.devices.description import DeviceDescription, Rates

CLOCK_MHZ = 1980
"""Boost clock of the machine on which the latencies were measured."""

LANES = 128
"""fp32 lanes of a streaming multiprocessor."""

RATES = Rates(
    multiply_adds_per_us=LANES * CLOCK_MHZ,
    arithmetic_efficiency=0.6,
    # The data sheet has 1024 a clock; about a third of them arrive.
    tensor_multiply_adds_per_us=1024 * CLOCK_MHZ * 0.35,
    # 64 bytes a clock and multiprocessor is what the path from L2 can carry; about two thirds arrive with all busy.
    cache_bytes_per_us=64 * CLOCK_MHZ * 0.65,
    memory_bytes_per_us=3.0e6,
    memory_bytes_per_us_of_veu=6.0e4,
    # A contraction's task costs this much beside its products, and a wave this much beside its tasks: of the values
    # that were tried, these choose the fastest kernels for ResNet-50, ResNeXt-29 and Inception v1 together.
    task_us=2.8,
    barrier_us=2.0,
    launch_us=1.09,
    handover_us=0.67,
)


def describe() -> DeviceDescription:
    """One vEU a multiprocessor; shared memory is what one block may have."""
    return DeviceDescription(
        name="h100",
        kind="cuda",
        veus=132,
        threads=1024,
        shared_bytes=232448,
        registers=65536,
        rates=RATES,
        source="sizes: CUDA programming guide, compute capability 9.0; latencies: one H100 80 GB HBM3; rest estimated",
    )
