"""Python's cyclic garbage collection while IR is built."""

import gc
from collections.abc import Generator
from contextlib import contextmanager

ALLOCATIONS = 100_000
"""Between collections, in place of Python's 700: almost nothing of a module's many small objects is garbage yet."""


@contextmanager
def rare_collections() -> Generator[None]:
    """Collects garbage rarely inside: a sixth of the time that passes take went into looking for it."""
    thresholds = gc.get_threshold()
    gc.set_threshold(ALLOCATIONS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
