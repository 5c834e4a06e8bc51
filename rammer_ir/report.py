"""What a compiled program consists of, in numbers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ProgramReport:
    """
    Counts of a program as written: what a loop repeats counts once.

    `waves` are those of the schedule; `barriers` and `waits` are what is left of them in the program, `waits` over all
    vEUs; `arena_bytes` holds all `buffers`, which share memory where their lifetimes allow; `live_bytes` are the most
    of them in use at one time: no arena can be smaller.
    """

    operators: int
    tasks: int
    waves: int
    launches: int
    barriers: int
    waits: int
    veus: int
    buffers: int
    arena_bytes: int
    live_bytes: int
    weight_bytes: int
    bodies: int
