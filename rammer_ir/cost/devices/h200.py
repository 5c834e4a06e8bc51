"""NVIDIA H200 SXM: an H100 with more and faster memory."""

from dataclasses import replace

from rammer_ir.cost.devices import h100
from rammer_ir.cost.devices.description import DeviceDescription


def describe() -> DeviceDescription:
    """One vEU a multiprocessor, as on an H100."""
    return replace(
        h100.describe(),
        name="h200",
        rates=replace(h100.RATES, memory_bytes_per_us=4.3e6),
        source="memory: nine tenths of the data sheet's 4.8 TB/s; all else as on an H100",
    )
