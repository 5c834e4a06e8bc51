"""The streams of a launch: each vEU's instructions in its order, with no more of them than needed."""

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rammer_ir.lowering.emission.tables import OUTSIDE, IntArray, Rows, instruction_rows
from rammer_ir.runtime.program_image import Opcode

_FIRST_TASK: Final = 3
_TASKS: Final = 4
_STEP: Final = 5
_BEHIND_NEXT: Final = 3
_BEHIND_FOR: Final = 1
_STEPS: Final = 7
_WAIT_WORDS: Final = slice(1, 5)
_KERNEL_WORDS: Final = (1, 2, 6)


def assemble(
    batches: Sequence[Rows], veus: int, base: int, with_steps: Collection[int] = ()
) -> tuple[IntArray, tuple[int, ...]]:
    """
    The instruction table of a launch, of shape [n, 8], and where the stream of each vEU begins.

    `batches` are in text order; a stream holds its vEU's rows in that order. Its table will stand at index `base` of
    the program's. A loop around one task of a body in `with_steps` becomes one run.
    """
    rows = [*batches, instruction_rows(np.arange(veus), Opcode.END, (), OUTSIDE)]
    owners = np.concatenate([batch.veus for batch in rows])
    words = np.concatenate([batch.words for batch in rows])
    scopes = np.repeat([batch.scope for batch in rows], [len(batch.veus) for batch in rows])
    kept = ~_repeated_waits(owners, words, scopes)
    owners, words = owners[kept], words[kept]
    order = np.argsort(owners, kind="stable")
    owners, words = owners[order], words[order]
    kept = ~_empty_loops(words)
    owners, words = _merged_runs(owners[kept], words[kept])
    owners, words = _runs_of_steps(owners, words, with_steps)
    _link_loops(words, base)
    return words, tuple(int(start) + base for start in np.searchsorted(owners, np.arange(veus)))


def _repeated_waits(owners: IntArray, words: IntArray, scopes: IntArray) -> NDArray[np.bool_]:
    """Waits that an equal wait of the same vEU stands before: counters never fall in a launch."""
    waits = np.flatnonzero(words[:, 0] == Opcode.WAIT)
    keys = np.column_stack([owners[waits], scopes[waits], words[waits, _WAIT_WORDS]])
    _, first = np.unique(keys, axis=0, return_index=True)
    repeated = np.zeros(len(words), np.bool_)
    repeated[waits] = True
    repeated[waits[first]] = False
    return repeated


def _empty_loops(words: IntArray) -> NDArray[np.bool_]:
    """The starts and ends of loops in which a vEU has nothing to do."""
    opcodes = words[:, 0]
    starts = np.flatnonzero((opcodes[:-1] == Opcode.FOR) & (opcodes[1:] == Opcode.NEXT))
    empty = np.zeros(len(words), np.bool_)
    empty[starts] = True
    empty[starts + 1] = True
    return empty


def _merged_runs(owners: IntArray, words: IntArray) -> tuple[IntArray, IntArray]:
    """Runs of evenly spaced tasks of one kernel that follow each other become one run."""
    heads = _heads(owners, words)
    places = np.flatnonzero(heads)
    counts = np.diff(np.append(places, len(words)))
    merged = words[places]
    several = counts > 1
    merged[several, _TASKS] = counts[several]
    merged[several, _STEP] = words[places[several] + 1, _FIRST_TASK] - merged[several, _FIRST_TASK]
    return owners[places], merged


def _heads(owners: IntArray, words: IntArray) -> NDArray[np.bool_]:
    """Which rows begin a group of evenly spaced tasks; groups are as long as can be, from the first row on."""
    is_run = words[:, 0] == Opcode.RUN
    linked = is_run[1:] & is_run[:-1] & (owners[1:] == owners[:-1])
    linked &= (words[1:, _KERNEL_WORDS] == words[:-1, _KERNEL_WORDS]).all(axis=1)
    steps = np.where(linked, np.diff(words[:, _FIRST_TASK]), 0)
    changes = np.flatnonzero(np.diff(steps) != 0) + 1
    starts = np.concatenate([[0], changes])
    ends = np.concatenate([changes, [len(steps)]])
    heads = np.ones(len(words), np.bool_)
    last_member = -1
    # Rows `start` to `end` (included) are spaced by one step; the first may belong to the group before.
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if start >= end or steps[start] == 0:
            continue
        head = start + 1 if start <= last_member else start
        if head < end:
            heads[head + 1 : end + 1] = False
            last_member = end
    return heads


def _runs_of_steps(owners: IntArray, words: IntArray, bodies: Collection[int]) -> tuple[IntArray, IntArray]:
    """Loops around one task of one of the bodies become runs of all steps. The length is known, or that of a scalar."""
    opcodes = words[:, 0]
    alone = (opcodes[:-2] == Opcode.FOR) & (opcodes[1:-1] == Opcode.RUN) & (opcodes[2:] == Opcode.NEXT)
    starts = np.flatnonzero(alone)
    runs = words[starts + 1]
    takes_steps = np.isin(runs[:, 1], [*bodies]) & (runs[:, _TASKS] == 1)
    takes_steps &= (words[starts, 2] >= 0) | (words[starts, 1] > 0)
    starts = starts[takes_steps]
    scalars = words[starts, 2]
    words[starts + 1, _STEPS] = np.where(scalars < 0, words[starts, 1], -1 - scalars)
    kept = np.ones(len(words), np.bool_)
    kept[starts] = kept[starts + 2] = False
    return owners[kept], words[kept]


def _link_loops(words: IntArray, base: int) -> None:
    """Have each start of a loop know what follows its end, and each end what follows its start. Loops do not nest."""
    starts = np.flatnonzero(words[:, 0] == Opcode.FOR)
    ends = np.flatnonzero(words[:, 0] == Opcode.NEXT)
    words[starts, _BEHIND_NEXT] = ends + 1 + base
    words[ends, _BEHIND_FOR] = starts + 1 + base
