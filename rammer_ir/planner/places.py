"""Where partial pipelines stand on a cluster, and every way to go on from there."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rammer_ir.planner.cluster import Cluster, Devices, Occupancy, Policy
from rammer_ir.planner.cuts import Indices
from rammer_ir.planner.states import Floats


def _names(kind: "type[Options]") -> list[str]:
    return [field.name for field in fields(kind)]


@dataclass(frozen=True, slots=True)
class Options:
    """
    Ways to place the next stage behind groups.

    `devices` is how many it gets and `used` how many are taken with them; `all_reduce` and `transfer` are seconds a
    byte; `group` is where the pipeline stands then.
    """

    devices: Indices
    used: Indices
    all_reduce: Floats
    transfer: Floats
    group: Indices

    def taken(self, index: Indices) -> "Options":
        """Some of them, in the order of the positions."""
        return Options(*(getattr(self, name)[index] for name in _names(Options)))

    @staticmethod
    def joined(parts: "Sequence[Options]") -> "Options":
        """Those of all parts, one after the other."""
        return Options(*(np.concatenate([getattr(part, name) for part in parts]) for name in _names(Options)))


@dataclass(frozen=True, slots=True)
class _Placements:
    """
    All ways to place a stage where some devices are taken, which `group` has the numbers of.

    `machine` is the one that the stage's devices are on, -1 for several; `all_reduce` is seconds a byte.
    """

    devices: Indices
    machine: Indices
    all_reduce: Floats
    group: Indices


class _Rows:
    """An array that grows at its end."""

    def __init__(self, first: NDArray[Any]):
        self._blocks = [first]
        self._count = len(first)

    def __len__(self) -> int:
        return self._count

    def append(self, block: NDArray[Any]) -> None:
        self._blocks.append(block)
        self._count += len(block)

    @property
    def all(self) -> NDArray[Any]:
        if len(self._blocks) > 1:
            self._blocks = [np.concatenate(self._blocks)]
        return self._blocks[0]


class Places:
    """
    The groups of a cluster by number.

    A group is how many devices of each machine are taken, the lowest numbers first, and how many of them, the last
    ones, the last stage has. Group 0 is the empty one.
    """

    def __init__(self, cluster: Cluster, policies: Sequence[Policy]):
        self.cluster = cluster
        self._policies = policies
        self._sizes = np.array([len(devices) for devices in cluster.machines], np.intp)
        self._machine_of = np.repeat(np.arange(len(self._sizes)), self._sizes)
        counts = range(1, cluster.size + 1)
        # By whether they are on several machines, and how many devices there are.
        self._all_reduce = np.array(
            [[0.0, *(cluster.ring(count, crosses=crosses) for count in counts)] for crosses in (False, True)]
        )
        none = np.zeros((1, len(self._sizes)), np.intp)
        self._taken = _Rows(none)
        self._last = _Rows(none)
        self._transfers = _Rows(np.zeros((1, len(self._sizes) + 1)))
        self._occupancies = _Rows(np.zeros(1, np.intp))
        self._numbers: dict[Occupancy, int] = {cluster.empty: 0}
        self._placements: dict[Occupancy, _Placements] = {}

    def last(self, group: int) -> Devices:
        """The devices of the last stage."""
        return self._numbered(self._taken.all[group] - self._last.all[group], self._taken.all[group])

    def rest(self, group: int) -> Devices:
        """The devices that are not taken."""
        return self._numbered(self._taken.all[group], self._sizes)

    def _numbered(self, begins: Indices, ends: Indices) -> Devices:
        ranges = zip(self.cluster.machines, begins.tolist(), ends.tolist(), strict=True)
        return tuple(device for devices, begin, end in ranges for device in devices[begin:end])

    def occupancies(self, groups: Indices) -> Indices:
        """Numbers that are the same for groups that take the same devices."""
        return self._occupancies.all[groups]

    def closings(self, groups: Indices) -> tuple[Indices, Floats, Floats]:
        """Of a stage on all devices that are left: how many, and seconds a byte of its all-reduce and transfer."""
        devices, machine, all_reduce = self._described(self._sizes - self._taken.all[groups])
        return devices, all_reduce, self._transfers.all[groups, machine]

    def choices(self, groups: Indices, most: int, multiple: int = 1) -> tuple[Indices, Options]:
        """
        Every position of `groups` with each option of its group, as two sequences of one length.

        Options have at most `most` devices, and a multiple of `multiple`.
        """
        rows: list[Indices] = []
        found: list[Options] = []
        unique = np.unique(groups)
        taken, transfers = self._taken.all[unique].tolist(), self._transfers.all[unique]
        for group, occupancy, transfer in zip(unique.tolist(), taken, transfers, strict=True):
            placed = self._placed(tuple(occupancy))
            allowed = np.flatnonzero((placed.devices % multiple == 0) & (placed.devices <= most))
            same = np.flatnonzero(groups == group)
            rows.append(np.repeat(same, len(allowed)))
            used = placed.devices + sum(occupancy)
            options = Options(placed.devices, used, placed.all_reduce, transfer[placed.machine], placed.group)
            found.append(options.taken(np.tile(allowed, len(same))))
        return np.concatenate(rows), Options.joined(found)

    def _placed(self, taken: Occupancy) -> _Placements:
        if taken not in self._placements:
            self._placements[taken] = self._place(taken)
        return self._placements[taken]

    def _place(self, taken: Occupancy) -> _Placements:
        """Stages of every size by each policy, each set of devices once; their groups get the next numbers."""
        orders = [self._machine_of[self.cluster.order(taken, policy)] for policy in self._policies]
        counts = np.zeros((max(map(len, orders)), len(orders), len(taken)), np.intp)
        is_new = np.zeros(counts.shape[:2], np.bool_)
        for number, order in enumerate(orders):
            counts[: len(order), number] = np.cumsum(order[:, None] == np.arange(len(taken)), axis=0)
            is_new[: len(order), number] = True
            for before in range(number):
                is_new[:, number] &= (counts[:, number] != counts[:, before]).any(axis=-1)
        last = counts[is_new]
        now = last + np.array(taken)
        devices, machine, all_reduce = self._described(last)
        group = np.arange(len(self._taken), len(self._taken) + len(last))
        shares = (devices[:, None] - last) / devices[:, None] / self.cluster.p2p
        within = np.where(last == devices[:, None], 1 / self.cluster.nvlink, shares)
        self._taken.append(now)
        self._last.append(last)
        self._transfers.append(np.column_stack([within, np.full(len(last), 1 / self.cluster.nccl)]))
        numbers = [self._numbers.setdefault(tuple(row), len(self._numbers)) for row in now.tolist()]
        self._occupancies.append(np.array(numbers, np.intp))
        return _Placements(devices, machine, all_reduce, group)

    def _described(self, counts: Indices) -> tuple[Indices, Indices, Floats]:
        """Of stages with some devices of each machine: devices, their machine, and seconds a byte of an all-reduce."""
        devices = counts.sum(axis=1)
        crosses = (counts > 0).sum(axis=1) > 1
        return devices, np.where(crosses, -1, counts.argmax(axis=1)), self._all_reduce[crosses.astype(np.intp), devices]
