"""The devices that a plan is for, what their links cost, and how devices are picked for a stage."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Literal

from rammer_ir.errors import InvalidInputError

Occupancy = tuple[int, ...]
"""How many devices of each machine are taken; those with the lowest numbers."""

Devices = tuple[int, ...]

Policy = Literal["fresh", "append", "scatter", "fill"]

HPGO_POLICIES: tuple[Policy, ...] = ("fresh", "append", "scatter")
POLICIES: tuple[Policy, ...] = ("fresh", "append", "scatter", "fill")


@dataclass(frozen=True)
class Cluster:
    """
    Devices 0, 1, … of machines that end before the given device numbers: (8, 16) is two machines of eight.

    Bandwidths are bytes a second: within a machine, point to point between machines, and all-reduce between machines.
    The defaults are HPGO's. `reduce` is what an all-reduce within a machine moves through each of its devices; unless
    it is given, it is `nvlink` for each second device, as HPGO counts.
    """

    ends: tuple[int, ...]
    nvlink: float = 25e9
    p2p: float = 1e9
    nccl: float = 3e9
    reduce: float | None = None

    def __post_init__(self) -> None:
        if not self.ends or any(a >= b for a, b in zip((0, *self.ends), self.ends, strict=False)):
            given = ",".join(map(str, self.ends))
            raise InvalidInputError(f"devices '{given}': machines end before increasing device numbers, such as 8,16")
        for name in ("nvlink", "p2p", "nccl", "reduce"):
            bandwidth = getattr(self, name)
            if bandwidth is not None and not 0 < bandwidth < float("inf"):
                raise InvalidInputError(f"the bandwidth {name} has to be a positive number of bytes a second")

    @property
    def size(self) -> int:
        """How many devices there are."""
        return self.ends[-1]

    @cached_property
    def machines(self) -> tuple[range, ...]:
        """The devices of each machine."""
        return tuple(range(start, end) for start, end in zip((0, *self.ends), self.ends, strict=False))

    @cached_property
    def empty(self) -> Occupancy:
        """No device is taken."""
        return (0,) * len(self.ends)

    @cached_property
    def _machine(self) -> tuple[int, ...]:
        return tuple(number for number, devices in enumerate(self.machines) for _ in devices)

    def crosses(self, devices: Sequence[int]) -> bool:
        """Whether the devices are on more than one machine."""
        return self.place_of(devices) < 0

    def all_reduce(self, devices: Sequence[int]) -> float:
        """Seconds a byte of an all-reduce among the devices."""
        return self.ring(len(devices), crosses=self.crosses(devices))

    def ring(self, count: int, *, crosses: bool) -> float:
        """Seconds a byte of an all-reduce among so many devices, on one machine or where it `crosses` to others."""
        if count == 1:
            return 0.0
        ring = 2 * (count - 1) / count
        if crosses:
            return ring / self.nccl
        return ring / self.nvlink / (count // 2) if self.reduce is None else ring / self.reduce

    def transfer(self, source: Sequence[int], target: Sequence[int]) -> float:
        """Seconds a byte of sending a stage's output, split over its devices, to the devices of the next stage."""
        return self.transfers(source)[self.place_of(target)]

    def place_of(self, devices: Sequence[int]) -> int:
        """The machine that all of the devices are on; -1 where there is none."""
        first, last = self._machine[min(devices)], self._machine[max(devices)]
        return first if first == last else -1

    def transfers(self, source: Sequence[int]) -> tuple[float, ...]:
        """Seconds a byte of a transfer from devices to some on each machine, and at the end to those on several."""
        count = len(source)
        here = [0] * len(self.ends)
        for device in source:
            here[self._machine[device]] += 1
        rates = (1 / self.nvlink if own == count else (count - own) / count / self.p2p for own in here)
        return (*rates, 1 / self.nccl)

    def order(self, taken: Occupancy, policy: Policy) -> list[int]:
        """
        The free devices in the order in which a policy takes them.

        "fresh" takes machines that nothing runs on, "append" those that something runs on, "scatter" one device of each
        machine in turn (section 3.3 of the paper names them), and "fill" whatever is free, lowest numbers first.
        """
        free = [devices[used:] for devices, used in zip(self.machines, taken, strict=True)]
        if policy == "scatter":
            turns = zip_longest(*free)
            return [device for turn in turns for device in turn if device is not None]
        return [
            device
            for devices, used in zip(free, taken, strict=True)
            if policy == "fill" or (used == 0) == (policy == "fresh")
            for device in devices
        ]

    def place(self, taken: Occupancy, count: int, policy: Policy) -> tuple[Devices, Occupancy] | None:
        """Devices for `count` replicas and what is taken with them, or None where the policy finds too few."""
        order = self.order(taken, policy)
        return None if len(order) < count else self._picked(taken, order[:count])

    def placements(
        self, taken: Occupancy, count: int, policies: Sequence[Policy] = HPGO_POLICIES
    ) -> list[tuple[Devices, Occupancy]]:
        """What the policies pick, each set of devices once."""
        found = (self.place(taken, count, policy) for policy in policies)
        return list(dict.fromkeys(placement for placement in found if placement is not None))

    def _picked(self, taken: Occupancy, devices: Sequence[int]) -> tuple[Devices, Occupancy]:
        now = list(taken)
        for device in devices:
            now[self._machine[device]] += 1
        return tuple(sorted(devices)), tuple(now)
