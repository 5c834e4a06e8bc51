"""A model of a task's time: the slowest of arithmetic, shared cache and memory, and a fixed part."""

from dataclasses import dataclass

from rammer_ir.cost.devices.description import Rates


@dataclass(frozen=True)
class TaskWork:
    """
    What one task does on average.

    `operations` are scalar operations, a multiplication with an addition being one; `tensor_operations` are those of
    tensor cores; `cache_bytes` go between the vEU and what all vEUs share; `memory_bytes` are in no cache yet.
    """

    operations: float
    cache_bytes: float
    memory_bytes: float
    tensor_operations: float = 0.0


def task_microseconds(work: TaskWork, tasks: int, veus: int, rates: Rates) -> float:
    """Time of one of `tasks` tasks when all of `veus` vEUs are busy with them."""
    arithmetic = work.operations / (rates.multiply_adds_per_us * rates.arithmetic_efficiency)
    arithmetic += work.tensor_operations / rates.tensor_multiply_adds_per_us
    cache = work.cache_bytes / rates.cache_bytes_per_us
    share = rates.memory_bytes_per_us / min(tasks, veus)
    memory = work.memory_bytes / min(share, rates.memory_bytes_per_us_of_veu)
    return max(arithmetic, cache, memory) + rates.task_us


def wave_microseconds(task_time: float, tasks: int, veus: int, rates: Rates) -> float:
    """Time of all tasks on all vEUs, and of the barrier after them."""
    return -(-tasks // veus) * task_time + rates.barrier_us
