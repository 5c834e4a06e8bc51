"""Dispatches of a candidate before they exist: what equal operators share."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute

from rammer_ir.tiling.packed_matrix import PackedMatrix
from rammer_ir.tiling.packed_weight import PackedWeight

PackedOperand = PackedWeight | PackedMatrix
"""What a kernel reads instead of a weight."""


@dataclass(frozen=True)
class PlannedDispatch:
    """
    A kernel with its operands.

    Operands are numbers: of the operator's inputs, then of the results of the candidate's dispatches before it.
    `destinations` is None where a result goes into a new tensor. `packed` is what stands for the input of a number.
    """

    kernel: str
    reads: tuple[int, ...]
    destinations: tuple[int | None, ...]
    at: tuple[int, ...]
    results: Sequence[TensorType[Attribute]]
    packed: dict[int, PackedOperand] = field(default_factory=dict[int, PackedOperand])


Candidate = Sequence[PlannedDispatch]
"""One way to compute an operator: the results of the last dispatch are the operator's."""
