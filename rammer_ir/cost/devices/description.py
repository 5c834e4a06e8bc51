"""What is known of a device."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Rates:
    """
    Speeds and latencies of a device that cost models use.

    A vEU does `multiply_adds_per_us` at best, and reaches the share `arithmetic_efficiency` of it; of tf32 factors it
    does `tensor_multiply_adds_per_us` (without tensor cores as many as of all others). It reads and writes
    `cache_bytes_per_us` of what all vEUs share (on CUDA: L2). All vEUs together get `memory_bytes_per_us` from memory,
    one alone at most `memory_bytes_per_us_of_veu`. A task costs `task_us` whatever it does; `barrier_us`, `launch_us`
    and `handover_us` are a barrier of all vEUs, a launch after another, and a signal from vEU to vEU.
    """

    multiply_adds_per_us: float
    arithmetic_efficiency: float
    tensor_multiply_adds_per_us: float
    cache_bytes_per_us: float
    memory_bytes_per_us: float
    memory_bytes_per_us_of_veu: float
    task_us: float
    barrier_us: float
    launch_us: float
    handover_us: float

    @classmethod
    def of(cls, values: Mapping[str, float]) -> "Rates":
        """Rates by name; raises KeyError where one is missing."""
        return cls(**{name: values[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class DeviceDescription:
    """A device as `vdevice.device` states it; bytes and registers are those of one vEU."""

    name: str
    kind: Literal["cuda", "host"]
    veus: int
    threads: int
    shared_bytes: int
    registers: int
    rates: Rates
    source: str
