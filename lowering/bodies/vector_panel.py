"""How the vector registers of a core share the block of a contraction."""

from dataclasses import dataclass

WIDEST = 16
"""Most floats of a vector register."""

MOST_ROWS = 16
"""Rows of a panel: more would not be hidden behind the latency of anything."""

FEWEST_REGISTERS = 128
"""Floats in the vector registers of the plainest CPUs: taken where the device does not say."""


@dataclass(frozen=True)
class VectorPanel:
    """
    The part of a block whose sums are in registers at once: `rows` of M times `columns` of N, in vectors of `width`.

    Beside the sums, registers hold one row of W and an element of X for all columns.
    """

    rows: int
    columns: int
    width: int

    @classmethod
    def of(cls, block_n: int, registers: int) -> "VectorPanel":
        """The panel for blocks with `block_n` columns, a multiple of 16, and vector registers of so many floats."""
        floats = max(registers, FEWEST_REGISTERS)
        width = WIDEST if floats >= WIDEST * 32 else WIDEST // 2
        columns = block_n
        while columns > floats // 8 or block_n % columns:
            columns -= WIDEST
        rows = (floats - columns - floats // 16) // columns
        return cls(min(rows, MOST_ROWS), columns, width)

    @property
    def vectors(self) -> int:
        """Vectors in a row of the panel."""
        return self.columns // self.width
