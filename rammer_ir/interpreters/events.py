"""Events of a launch: counters, and waits that must hold when a sequential run comes to them."""

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import AffineMapAttr
from xdsl.ir.affine import AffineMap

from rammer_ir.dialects.vdevice import EventMap
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.element_types import Array
from rammer_ir.interpreters.tensor_access import evaluate_map


def wait_rows(
    wait: EventMap, coordinates: Sequence[Array], loop: Sequence[int], tasks: Array, first_task: int
) -> Array:
    """First counter, number of counters and threshold for each of a run's tasks, shape [tasks, 3]."""
    if not isinstance(wait, AffineMapAttr):
        return np.array(wait.get_values(), np.int64).reshape(wait.get_shape())[tasks - first_task]
    columns = evaluate_map(wait.data, coordinates, loop[: wait.data.num_symbols])
    return np.stack([np.broadcast_to(column, tasks.shape) for column in columns], axis=1)


class Counters:
    """An event: its counters, at zero when the launch starts."""

    def __init__(self, count: int) -> None:
        self.values = np.zeros(count, np.int64)

    def check_wait(self, waits: Array, tasks: Array) -> None:
        """
        Raises RammerError if a task waits for a threshold that its counters have not reached.

        `waits` has first counter, number of counters and threshold of each of `tasks`, shape [tasks, 3].
        """
        for first, count, threshold in np.unique(waits, axis=0):
            if first < 0 or count < 0 or first + count > len(self.values):
                raise RammerError(f"a wait for counters {first} to {first + count} of an event of {len(self.values)}")
            reached = self.values[first : first + count]
            if (reached < threshold).any():
                late = int(np.argmax(reached < threshold))
                task = int(tasks[(waits == (first, count, threshold)).all(axis=1)][0])
                raise RammerError(
                    f"task {task} waits for counter {first + late} of an event to reach {threshold}, and what stands "
                    f"before it signals {int(reached[late])} times"
                )

    def signal(self, signal: AffineMap, coordinates: Sequence[Array], loop: Sequence[int], tasks: Array) -> None:
        """Add one to the counter of each task; raises RammerError for one that the event does not have."""
        (counters,) = evaluate_map(signal, coordinates, loop[: signal.num_symbols])
        counters = np.broadcast_to(counters, tasks.shape)
        if ((counters < 0) | (counters >= len(self.values))).any():
            raise RammerError(f"a signal to counter {int(counters.max())} of an event of {len(self.values)}")
        np.add.at(self.values, counters, 1)
