"""What signals make known to those who wait for them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rammer_ir.scheduling.boxes import Integers
from rammer_ir.scheduling.clocks import Clock, ClockRows, clock_dtype, maxima_of_groups
from rammer_ir.scheduling.counters import SignalTable
from rammer_ir.scheduling.schedule import Schedule


@dataclass(frozen=True)
class EarlyReuse:
    """A wait for `threshold` signals of a counter that task `late` signals too: it may come among the first ones."""

    counter: int
    threshold: int
    late: int


class Publications:
    """
    What waits learn: for every place in the signal table that a wait needs, the join of the counter's clocks up to it.

    A signal counts for the next place needed on its counter; the places of a counter are joined in order.
    """

    def __init__(self, schedule: Schedule, table: SignalTable, needed: Integers) -> None:
        self._places = np.unique(needed)
        self._known: Clock = np.zeros((len(self._places), schedule.veus), clock_dtype(schedule))
        counters = np.repeat(np.arange(len(table.totals)), table.totals)
        following = np.searchsorted(self._places, np.arange(len(counters)))
        exists = following < len(self._places)
        same = np.zeros(len(counters), np.bool_)
        same[exists] = counters[self._places[following[exists]]] == counters[exists]
        self._target = np.where(same, following, -1)
        self._table = table
        several = _several_signallers(schedule, table)
        needed_counters = counters[self._places]
        self._joins_previous = np.zeros(len(self._places), np.bool_)
        self._joins_previous[1:] = (needed_counters[1:] == needed_counters[:-1]) & several[needed_counters[1:]]
        reused = np.zeros(len(table.totals), np.bool_)
        reused[needed_counters[self._places + 1 < table.starts[needed_counters + 1]]] = True
        self._watched = np.flatnonzero(reused & several)
        self._is_watched = reused & several
        self._counter_of_place = counters
        self._clocks_of_watched: dict[int, Clock] = {}

    def publish(self, places: Integers, rows: ClockRows, clock_of: Integers, veus: Integers, positions: Clock) -> None:
        """Signals at these places, by tasks at `positions` of `veus` that started with the clocks of these numbers."""
        targets = self._target[places]
        useful = np.flatnonzero(targets >= 0)
        if len(useful):
            clocks = len(rows)
            pairs = np.unique(targets[useful] * clocks + clock_of[useful])
            of_pairs = pairs // clocks
            starts = np.flatnonzero(np.diff(of_pairs, prepend=-1))
            joined = maxima_of_groups(rows.take(pairs % clocks), starts)
            changed = of_pairs[starts]
            self._known[changed] = np.maximum(self._known[changed], joined)
            np.maximum.at(self._known, (targets[useful], veus[useful]), positions[useful])
        for k in np.flatnonzero(self._is_watched[self._counter_of_place[places]]):
            row = rows.take(clock_of[k : k + 1])[0]
            row[veus[k]] = positions[k]
            self._clocks_of_watched[int(places[k])] = row

    def complete(self, places: Integers) -> None:
        """All signals up to these places are published."""
        targets = self._target[places]
        places, targets = places[targets >= 0], targets[targets >= 0]
        exact = np.unique(targets[self._places[targets] == places])
        for k in exact[self._joins_previous[exact]]:
            np.maximum(self._known[k], self._known[k - 1], out=self._known[k])

    def learn(self, places: Integers) -> Clock:
        """The joined clocks of the signals up to each of these places."""
        return self._known[np.searchsorted(self._places, places)]

    def find_early_reuse(self) -> EarlyReuse | None:
        """A signal that is not after all signals that a wait for fewer of the same counter means."""
        for counter in self._watched:
            start, end = int(self._table.starts[counter]), int(self._table.starts[counter + 1])
            rows = np.stack([self._clocks_of_watched[place] for place in range(start, end)])
            low, high = np.searchsorted(self._places, [start, end])
            for number in range(int(low), int(high)):
                place = int(self._places[number])
                late = (rows[place + 1 - start :] < self._known[number]).any(axis=1)
                if late.any():
                    task = int(self._table.tasks[place + 1 + int(np.argmax(late))])
                    return EarlyReuse(int(counter), place + 1 - start, task)
        return None


def _several_signallers(schedule: Schedule, table: SignalTable) -> NDArray[np.bool_]:
    """Which counters are signalled by more than one vEU: of one vEU, signals come in text order."""
    veus = np.concatenate([np.zeros(0, np.int64), *(run.veus for _, run in schedule.runs())])[table.tasks]
    counters = np.repeat(np.arange(len(table.totals)), table.totals)
    several = np.zeros(len(table.totals), np.bool_)
    different = (counters[1:] == counters[:-1]) & (veus[1:] != veus[:-1])
    several[counters[1:][different]] = True
    return several
