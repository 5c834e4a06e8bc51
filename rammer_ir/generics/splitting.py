"""Splitting a loop of a generic, or a dimension of a tensor, in two."""

from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects.rop import GenericOp, IndexOp
from rammer_ir.generics.parts import GenericParts
from rammer_ir.indexing.simplify import simplify_map


def can_split_loop(generic: GenericOp, dim: int) -> bool:
    """Whether the body does not ask for the loop's index."""
    return not any(isinstance(op, IndexOp) and op.dim.value.data == dim for op in generic.body.walk())


def split_loop(generic: GenericOp, parts: GenericParts, dim: int, inner: int) -> None:
    """
    Makes the loop `dim` two: an outer one, and behind it an inner one of `inner` indices, which divides the bound.

    Changes the parts and, as other loops move, the `rop.index` ops of the generic's body.
    """
    outer = parts.bounds[dim] // inner
    parts.bounds = (*parts.bounds[:dim], outer, inner, *parts.bounds[dim + 1 :])
    dims = [
        AffineExpr.dimension(position if position < dim else position + 1) for position in range(len(parts.bounds) - 1)
    ]
    dims[dim] = AffineExpr.dimension(dim) * inner + AffineExpr.dimension(dim + 1)
    symbols = [AffineExpr.symbol(symbol) for symbol in range(len(parts.at))]
    for part in (*parts.inputs, *parts.outputs):
        split = part.map.replace_dims_and_symbols(dims, symbols, len(parts.bounds), part.map.num_symbols)
        part.map = simplify_map(split, parts.ranges)
    for op in generic.body.walk():
        if isinstance(op, IndexOp) and op.dim.value.data > dim:
            op.dim = IndexOp(op.dim.value.data + 1).dim


def split_result(affine_map: AffineMap, position: int, inner: int, parts: GenericParts) -> AffineMap:
    """The map to a tensor of which dimension `position` is split: the quotient and the remainder by `inner`."""
    index = affine_map.results[position]
    results = (*affine_map.results[:position], index // inner, index % inner, *affine_map.results[position + 1 :])
    return simplify_map(AffineMap(affine_map.num_dims, affine_map.num_symbols, results), parts.ranges)
