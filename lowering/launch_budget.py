"""What a launch takes of a vEU for its bodies: threads, scratch memory, weight ring, registers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.dialects.vdevice import DeviceOp
from rammer_ir.errors import PassError
from rammer_ir.locations import describe_op
from rammer_ir.lowering.body_needs import BodyNeeds
from rammer_ir.scheduling.budget import (
    FEWEST_RING_SLOTS,
    RUNTIME_BYTES,
    SERVICE_THREADS,
    UNIMPLEMENTED_THREADS,
    registers_per_thread,
    ring_slots,
)


@dataclass(frozen=True)
class LaunchBudget:
    """The budget of a `vdevice.launch`, but for its vEUs and pinned weights."""

    threads: int
    service_threads: int
    ring_slots: int
    ring_slot_bytes: int
    scratch_bytes: int
    registers: int


def launch_budget(kernels: Iterable[KernelOp], bodies: Mapping[str, BodyNeeds], device: DeviceOp) -> LaunchBudget:
    """
    The least that all bodies need, with as much ring as fits and all registers.

    Raises PassError where bodies have different numbers of threads, or need more than the device has.
    """
    needs = {kernel.sym_name.data: _needs(kernel, bodies) for kernel in kernels if kernel.implementation is not None}
    kind = device.kind.data
    threads = {need.threads: name for name, need in needs.items()}
    if len(threads) > 1:
        (some, one), (others, other) = list(threads.items())[:2]
        raise PassError(f"@{one} runs on {some} threads and @{other} on {others}: a launch has one number of threads")
    compute = next(iter(threads), UNIMPLEMENTED_THREADS[kind])
    scratch = max((need.scratch_bytes for need in needs.values()), default=0)
    chunk = max((need.chunk_bytes for need in needs.values()), default=0)
    free = device.shared_bytes - scratch - (RUNTIME_BYTES if kind == "cuda" else 0)
    slots = ring_slots(free, chunk) if chunk else 0
    if free < 0 or (chunk and slots < FEWEST_RING_SLOTS):
        largest = max(needs, key=lambda name: needs[name].scratch_bytes + needs[name].chunk_bytes)
        raise PassError(
            f"@{largest} needs {scratch} bytes of scratch memory and a ring of {FEWEST_RING_SLOTS} slots of {chunk}, "
            f"@{device.sym_name.data} has {device.shared_bytes} bytes of shared memory",
            location=describe_op(device),
        )
    service = SERVICE_THREADS[kind]
    registers = registers_per_thread(device.registers, compute + service)
    return LaunchBudget(compute, service, slots, chunk, scratch, registers)


def _needs(kernel: KernelOp, bodies: Mapping[str, BodyNeeds]) -> BodyNeeds:
    assert kernel.implementation is not None
    name = kernel.implementation.string_value()
    if name not in bodies:
        raise PassError(
            f"@{kernel.sym_name.data} is implemented by @{name}, which is no body", location=describe_op(kernel)
        )
    return bodies[name]
