"""Maps of tasks, evaluated for whole ranges of tasks at once."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from xdsl.dialects.builtin import AffineMapAttr, DenseIntElementsAttr
from xdsl.ir.affine import AffineBinaryOpExpr, AffineBinaryOpKind, AffineExpr, AffineMap, AffineSymExpr

from rammer_ir.dialects.rtask import Placement
from rammer_ir.errors import CompileError
from rammer_ir.lowering.emission.tables import IntArray


def evaluate(affine_map: AffineMap, dims: Sequence[IntArray], symbols: Sequence[int]) -> list[IntArray]:
    """The results of a map for indices given as arrays of one shape, and symbols given as numbers."""
    shape = dims[0].shape
    # The expressions only use operators that arrays have too.
    values = affine_map.eval(cast("Sequence[int]", dims), symbols)
    return [np.broadcast_to(np.asarray(value, np.int64), shape) for value in values]


def task_coordinates(first: int, last: int, grid: Sequence[int]) -> list[IntArray]:
    """The coordinates of tasks `first` to `last` (not included); the last coordinate runs fastest."""
    coordinates = np.unravel_index(np.arange(first, last), tuple(grid))
    return [np.asarray(coordinate, np.int64) for coordinate in coordinates]


def placement(place: Placement, first: int, last: int) -> IntArray:
    """The vEU of each task from `first` to `last` (not included), counted from the first of its group."""
    if isinstance(place, AffineMapAttr):
        return evaluate(place.data, [np.arange(first, last)], ())[0]
    return table_values(place)


def table_values(table: DenseIntElementsAttr) -> IntArray:
    """The numbers in a table."""
    values = np.asarray(table.get_values(), np.int64)
    return values.reshape(-1)


def depends_on_symbol(expression: AffineExpr) -> bool:
    """Whether an expression mentions the loop index."""
    return any(isinstance(part, AffineSymExpr) for part in expression.dfs())


def check_linear_in_symbol(expression: AffineExpr, what: str) -> None:
    """Raise CompileError unless the loop index occurs in sums and multiples only."""
    for part in expression.dfs():
        if not isinstance(part, AffineBinaryOpExpr):
            continue
        is_linear = part.kind in (AffineBinaryOpKind.Add, AffineBinaryOpKind.Mul)
        if not is_linear and depends_on_symbol(part):
            raise CompileError(f"{what} must grow evenly with the loop index, it is {expression}")
