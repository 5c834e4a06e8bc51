"""How recurrences that run at the same time share a device: vEUs of each, units of a vEU, threads."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from rammer_ir.dialects.vdevice import DeviceOp
from rammer_ir.scheduling.budget import RUNTIME_BYTES, aligned, registers_per_thread
from rammer_ir.tiling.recurrence import Product, Step

LANES = (16, 32, 8, 4, 2, 1)
"""How many threads share the sums of a unit, the best first: adding up lanes costs as much as many terms."""

PIECE = 4
"""Elements of a vector that a thread reads at once."""

ELEMENT_BYTES = 4
WARP_THREADS = 32

MOST_THREADS = 1024

OTHER_REGISTERS = 56
"""Registers of a thread that are not for weights and sums."""

EXCHANGE_MICROSECONDS = 0.4
"""From the store of a word on one vEU to its use on another (`docs/strategies.md`)."""

EXCHANGE_MICROSECONDS_PER_VEU = 0.005
"""What each further vEU adds to an exchange in which all take part."""

MULTIPLY_ADDS_PER_MICROSECOND = 128 * 1755 * 0.5
"""Of one vEU, half of what its units can do."""


@dataclass(frozen=True)
class RecurrencePlan:
    """Threads of all vEUs, and for each step how many units a task of it has."""

    threads: int
    units: tuple[int, ...]


def lanes_of(threads: int, units: int) -> int:
    """Threads that share the sums of a unit: a power of two, at most a warp."""
    return min(WARP_THREADS, 1 << (max(threads // units, 1).bit_length() - 1))


def rounds_of(length: int, lanes: int) -> int:
    """Pieces of a vector of some length that each of the lanes takes."""
    return -(-length // (PIECE * lanes))


def plan_recurrences(steps: Sequence[Step], device: DeviceOp) -> RecurrencePlan | None:
    """The plan by which all steps run at once; None where a device has too few vEUs, or no room for the weights."""
    share = device.veus // max(len(steps), 1)
    if share < 1:
        return None
    if device.kind.data != "cuda":
        return RecurrencePlan(1, tuple(-(-step.units // share) for step in steps))
    units = [_units(step, share, device) for step in steps]
    chosen = [count for count in units if count is not None]
    if len(chosen) < len(steps):
        return None
    threads = _threads(list(zip(steps, chosen, strict=True)), device)
    return None if threads is None else RecurrencePlan(threads, tuple(chosen))


def _units(step: Step, share: int, device: DeviceOp) -> int | None:
    """The units of a task with which a step takes least time on at most `share` vEUs."""
    counts = dict.fromkeys(-(-step.units // veus) for veus in range(1, share + 1))
    fitting = [count for count in counts if _threads([(step, count)], device) is not None]
    return min(fitting, key=lambda count: _microseconds(step, count), default=None)


def _microseconds(step: Step, units: int) -> float:
    veus = -(-step.units // units)
    products = units * step.weights * step.vectors / MULTIPLY_ADDS_PER_MICROSECOND
    return EXCHANGE_MICROSECONDS + EXCHANGE_MICROSECONDS_PER_VEU * veus + products


def _threads(steps: Sequence[tuple[Step, int]], device: DeviceOp) -> int | None:
    """Threads with whose registers and shared memory there is room for the weights of each of the steps."""
    for lanes in LANES:
        threads = max(aligned(units * lanes, WARP_THREADS) for _, units in steps)
        if threads <= MOST_THREADS:
            if all(pinned_products(step, units, threads, device) is not None for step, units in steps):
                return threads
    return None


def pinned_products(step: Step, units: int, threads: int, device: DeviceOp) -> int | None:
    """
    How many of a step's products, the first ones, have their weights in shared memory, for the others to fit registers.

    None where there is no room for all weights.
    """
    lanes = lanes_of(threads, units)
    available = registers_per_thread(device.registers, threads)
    left = device.shared_bytes - RUNTIME_BYTES - sum(_staged_bytes(product, step, lanes) for product in step.products)
    for pinned in range(len(step.products) + 1):
        if _registers(step, step.products[pinned:], lanes) <= available:
            return pinned
        if pinned == len(step.products) or not _can_pin(step.products[pinned], lanes):
            return None
        left -= ELEMENT_BYTES * step.products[pinned].weights * units
        if left < 0:
            return None
    return None


def _can_pin(product: Product, lanes: int) -> bool:
    """Whether lanes read whole pieces of a row, and the same number of them."""
    return product.generic.bounds[product.k] % (PIECE * lanes) == 0


def _staged_bytes(product: Product, step: Step, lanes: int) -> int:
    return ELEMENT_BYTES * 2 * step.vectors * rounds_of(product.generic.bounds[product.k], lanes) * lanes * PIECE


def _registers(step: Step, kept: Sequence[Product], lanes: int) -> int:
    """Registers that a thread needs with the weights of some products, if so many share the sums of a unit."""
    weights = sum(gates_of(product) * rounds_of(product.generic.bounds[product.k], lanes) for product in kept)
    sums = step.vectors * sum(gates_of(product) for product in step.products)
    return PIECE * weights + sums + OTHER_REGISTERS


def gates_of(product: Product) -> int:
    """Results of a product for each unit and vector."""
    return prod(product.generic.bounds[dim] for dim in product.gates)
