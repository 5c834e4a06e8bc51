"""The order of a weight's chunk in which the lanes of a warp take it for tensor cores, and its rounding."""

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr, f32, i32
from xdsl.ir import Block, SSAValue
from xdsl.ir.affine import AffineExpr

MMA_COLUMNS = 8
"""Columns of W that an instruction multiplies with."""

STEP_ROWS = 16
"""Rows of W that a lane takes a part of at once: those of two instructions."""

LANE_ROWS = 4
"""Rows, neighbours, that one lane takes of them."""


def fragment_shape(block_k: int, block_n: int) -> list[int]:
    """Of a chunk of `block_k` rows and `block_n` columns; the lane of a warp is the third and fourth dimension."""
    return [block_k // STEP_ROWS, block_n // MMA_COLUMNS, MMA_COLUMNS, STEP_ROWS // LANE_ROWS, LANE_ROWS]


def place_in_fragments(row: AffineExpr, column: AffineExpr) -> tuple[AffineExpr, ...]:
    """Where an element of a chunk lies."""
    within = row % STEP_ROWS
    return (row // STEP_ROWS, column // MMA_COLUMNS, column % MMA_COLUMNS, within // LANE_ROWS, within % LANE_ROWS)


def row_and_column(place: Sequence[AffineExpr]) -> tuple[AffineExpr, AffineExpr]:
    """What lies at a place: the reverse of `place_in_fragments`."""
    step, columns, column, rows, row = place
    return step * STEP_ROWS + rows * LANE_ROWS + row, columns * MMA_COLUMNS + column


_DROPPED_BITS = 13


def rounded_to_tf32(block: Block) -> SSAValue:
    """Ops at the end of a block that round its argument, a float32, to the nearest tf32 number; the result."""
    value = block.args[0]
    bits = arith.BitcastOp(value, i32)
    half = arith.ConstantOp(IntegerAttr(1 << _DROPPED_BITS - 1, i32))
    more = arith.AddiOp(bits, half)
    kept = arith.ConstantOp(IntegerAttr(-(1 << _DROPPED_BITS), i32))
    cut = arith.AndIOp(more, kept)
    rounded = arith.BitcastOp(cut, f32)
    # The sum would make an infinity, or a zero, of some NaN.
    is_nan = arith.CmpfOp(value, value, "uno")
    result = arith.SelectOp(is_nan, value, rounded)
    block.add_ops([bits, half, more, kept, cut, rounded, is_nan, result])
    return result.result
