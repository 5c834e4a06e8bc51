"""Where partial pipelines stand on a cluster, and every way to go on from there."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from rammer_ir.planner.cluster import Cluster, Devices, Occupancy, Policy
from rammer_ir.planner.cuts import Indices
from rammer_ir.planner.states import Floats


@dataclass(frozen=True, slots=True)
class Group:
    """What is taken of the devices, and those of the last stage."""

    taken: Occupancy
    last: Devices


@dataclass(frozen=True, slots=True)
class _Placement:
    """
    Devices for a stage, the machine that they are on (-1: several), and seconds a byte of their all-reduce.
    """

    group: Group
    machine: int
    all_reduce: float


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


class Places:
    """The groups of a cluster by number, group 0 being the empty one, and the options of each."""

    def __init__(self, cluster: Cluster, policies: Sequence[Policy]):
        self.cluster = cluster
        self.groups: list[Group] = [Group(cluster.empty, ())]
        self._policies = policies
        self._taken: dict[Occupancy, int] = {cluster.empty: 0}
        self._occupancies = [0]
        self._numbers: dict[Group, int] = {self.groups[0]: 0}
        self._options: dict[int, Options] = {}
        self._placements: dict[Occupancy, list[_Placement]] = {}

    def options(self, group: int) -> Options:
        """All ways to go on from a group, for every number of devices."""
        if group not in self._options:
            self._options[group] = self._find(self.groups[group])
        return self._options[group]

    def occupancies(self, groups: Indices) -> Indices:
        """Numbers that are the same for groups that take the same devices."""
        return np.array(self._occupancies, np.intp)[groups]

    def choices(self, groups: Indices, most: int, multiple: int = 1) -> tuple[Indices, Options]:
        """
        Every position of `groups` with each option of its group, as two sequences of one length.

        Options have at most `most` devices, and a multiple of `multiple`.
        """
        rows: list[Indices] = []
        found: list[Options] = []
        for group in np.unique(groups).tolist():
            options = self.options(group)
            allowed = np.flatnonzero((options.devices % multiple == 0) & (options.devices <= most))
            same = np.flatnonzero(groups == group)
            rows.append(np.repeat(same, len(allowed)))
            found.append(options.taken(np.tile(allowed, len(same))))
        return np.concatenate(rows), Options.joined(found)

    def _find(self, group: Group) -> Options:
        cluster = self.cluster
        rows: list[tuple[int, float, float, int]] = []
        transfers = cluster.transfers(group.last) if group.last else (0.0,) * (len(cluster.ends) + 1)
        for placed in self._placed(group.taken):
            number = self._numbers.setdefault(placed.group, len(self.groups))
            if number == len(self.groups):
                self.groups.append(placed.group)
                self._occupancies.append(self._taken.setdefault(placed.group.taken, len(self._taken)))
            rows.append((len(placed.group.last), placed.all_reduce, transfers[placed.machine], number))
        counts = np.array([row[0] for row in rows], np.intp)
        return Options(
            counts,
            counts + sum(group.taken),
            np.array([row[1] for row in rows]),
            np.array([row[2] for row in rows]),
            np.array([row[3] for row in rows], np.intp),
        )

    def _placed(self, taken: Occupancy) -> "list[_Placement]":
        """Placements of a stage of every size."""
        if taken not in self._placements:
            self._placements[taken] = [
                _Placement(Group(now, devices), self.cluster.place_of(devices), self.cluster.all_reduce(devices))
                for devices, now in self.cluster.all_placements(taken, self._policies)
            ]
        return self._placements[taken]
