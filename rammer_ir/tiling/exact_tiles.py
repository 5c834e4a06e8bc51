"""Tiles whose tasks write boxes of their own, where an index of a result takes a loop apart."""

from collections.abc import Sequence
from math import prod

from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects.rop import OperatorOp
from rammer_ir.indexing.linear import linear_form
from rammer_ir.tiling.boxes import touched_box
from rammer_ir.tiling.task_dimensions import generics_of


def writes_exactly(operator: OperatorOp, tile: Sequence[int]) -> bool:
    """
    Whether the box that a task of this tile writes holds no more than the tile, in all of the root's results.

    Only an index that is not linear, such as those of a reshape, `i floordiv 7` and `i mod 7`, can ask for more: then
    boxes of tasks overlap. `tile` has a size for each loop of the root.
    """
    root = generics_of(operator)[-1]
    return all(
        _is_exact(write_map.data, root.bounds, tile, value.type.get_shape())
        for value, write_map in zip(root.res, root.output_maps, strict=True)
    )


def _is_exact(write_map: AffineMap, bounds: Sequence[int], tile: Sequence[int], shape: Sequence[int]) -> bool:
    taken_apart = [dim for dim, result in enumerate(write_map.results) if _takes_a_loop_apart(result)]
    if not taken_apart:
        return True
    starts = [
        AffineExpr.dimension(dim) + AffineExpr.symbol(dim) * size if size < bounds[dim] else AffineExpr.dimension(dim)
        for dim, size in enumerate(tile)
    ]
    loop_symbols = [AffineExpr.symbol(len(tile))] * write_map.num_symbols
    tiled = write_map.replace_dims_and_symbols(starts, loop_symbols, len(tile), len(tile) + 1)
    grid = [-(-bound // size) for bound, size in zip(bounds, tile, strict=True)]
    box = touched_box(tiled, tile, shape, grid, loops=1)
    loops = {loop for dim in taken_apart for loop in write_map.results[dim].used_dims()}
    return prod(box.sizes[dim] for dim in taken_apart) == prod(tile[loop] for loop in loops)


def _takes_a_loop_apart(index: AffineExpr) -> bool:
    # An index that only depends on the step of a recurrence, as `(t + 1) mod 2`, is the same for all tasks.
    return bool(index.used_dims()) and linear_form(index) is None
