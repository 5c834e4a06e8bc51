"""
Processes that watch each other, so that all end soon, and say why, when one does.

Each counts upwards in the store that they share, and looks at the counts of the others.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

BEAT = 0.5
"""Seconds between two counts."""
CAUSE = 4 * BEAT
"""Seconds in which all processes hear why one has failed."""
PATIENCE = 10.0
"""Seconds without a new count after which a process is taken for dead."""


class Watch:
    """
    A thread that ends this process with a line on stderr once another rank has failed, or has stopped counting.

    `store` is a torch.distributed store; the thread uses a connection of its own. `describe` says what a rank is.
    """

    def __init__(self, store: Any, rank: int, ranks: int, describe: Callable[[int], str]):
        self._store = store.clone()
        self._rank = rank
        self._others = [other for other in range(ranks) if other != rank]
        self._describe = describe
        self._end = threading.Event()
        self._lost = ""
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begins to count and to look."""
        self._thread.start()

    def stop(self) -> None:
        """This rank is done, well: the others need not look at it any more."""
        self._store.set(f"done {self._rank}", "")
        self._end.set()

    def lost(self, message: str) -> None:
        """
        This rank cannot go on without another; `message` says which.

        Returns when there was time to hear of a cause, with which the thread ends this process.
        """
        self._lost = f"; before, it {message}"
        time.sleep(CAUSE)

    def fail(self, message: str) -> None:
        """This rank has failed: the others are to end too."""
        try:
            self._store.set(f"failed {self._rank}", message)
        except RuntimeError:
            # The store has gone with the process that held it; the others see that themselves.
            return
        if self._rank == 0:
            # This process may hold the store, from which the others are to learn why it ends.
            time.sleep(CAUSE)

    def _run(self) -> None:
        seen = {other: (-1, time.monotonic()) for other in self._others}
        while not self._end.wait(BEAT):
            try:
                problem = self._look(seen)
            except RuntimeError:
                problem = f"{self._describe(0)} has ended: the store that it held has gone{self._lost}"
            if problem is not None and not self._end.is_set():
                print(f"rammer: error: {self._describe(self._rank)} stops: {problem}", file=sys.stderr, flush=True)
                os._exit(1)

    def _look(self, seen: dict[int, tuple[int, float]]) -> str | None:
        """What is wrong with another rank."""
        self._store.add(f"count {self._rank}", 1)
        for other in self._others:
            if self._store.check([f"failed {other}"]):
                return f"{self._describe(other)} failed: {self._store.get(f'failed {other}').decode()}"
            if self._store.check([f"done {other}"]):
                continue
            count = self._store.add(f"count {other}", 0)
            before, since = seen[other]
            if count != before:
                seen[other] = count, time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                return f"{self._describe(other)} has ended: no sign of life for {PATIENCE:.0f} s"
        return None
