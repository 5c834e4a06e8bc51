"""Which rows of the instruction table a launch executes."""

import numpy as np
from numpy.typing import NDArray

from rammer_ir.errors import VerificationError
from rammer_ir.runtime.program_image import LaunchImage, Opcode, ProgramImage


def launch_rows(image: ProgramImage, launch: LaunchImage) -> NDArray[np.int64]:
    """
    The rows of all streams of `launch`, in order, each once.

    Raises VerificationError if a stream begins outside of the table or has no end.
    """
    starts = np.unique(np.array(launch.streams, np.int64))
    ends = np.flatnonzero(image.instructions[:, 0] == Opcode.END)
    first_ends = np.searchsorted(ends, starts)
    wrong = starts[(starts < 0) | (first_ends >= len(ends))]
    if wrong.size:
        raise VerificationError(
            f"launch {launch.name!r}: the stream at instruction {int(wrong[0])} has no end", location=image.name
        )
    changes = np.zeros(len(image.instructions) + 1, np.int64)
    np.add.at(changes, starts, 1)
    np.add.at(changes, ends[first_ends] + 1, -1)
    return np.flatnonzero(np.cumsum(changes[:-1]))


def bodies_in_use(image: ProgramImage, launch: LaunchImage) -> list[int]:
    """The numbers of the bodies that `launch` runs, in order."""
    rows = image.instructions[launch_rows(image, launch)]
    return [int(number) for number in np.unique(rows[rows[:, 0] == Opcode.RUN, 1])]
