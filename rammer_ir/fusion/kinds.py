"""What kind of computation a generic is, as far as fusion cares."""

from enum import Enum, auto
from math import prod

from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import GenericOp
from rammer_ir.indexing.linear import linear_form


class Kind(Enum):
    """
    Kinds of generics.

    - ELEMENTWISE: nothing is reduced.
    - ROWS: a reduction that takes each element of each row once: a sum, a maximum, a mean.
    - CONTRACTION: a reduction that uses elements more than once: a matrix product, a convolution, a pooling window.
    """

    ELEMENTWISE = auto()
    ROWS = auto()
    CONTRACTION = auto()


def parallel_dims(generic: GenericOp) -> frozenset[int]:
    """Loop dimensions of more than one index that are reduced into no result."""
    reduced = reduced_dims(generic)
    return frozenset(dim for dim, bound in enumerate(generic.bounds) if bound > 1 and dim not in reduced)


def reduced_dims(generic: GenericOp) -> frozenset[int]:
    """Loop dimensions of more than one index that are reduced into some result."""
    return frozenset(dim for result in range(len(generic.res)) for dim in generic.reduction_dims(result))


def row_length(generic: GenericOp) -> int:
    """How many values are reduced into one."""
    return prod(generic.bounds[dim] for dim in reduced_dims(generic))


def kind_of(generic: GenericOp) -> Kind:
    """The kind of a generic."""
    reduced, parallel = reduced_dims(generic), parallel_dims(generic)
    if not reduced:
        return Kind.ELEMENTWISE
    for read_map in generic.input_maps:
        results = read_map.data.results
        used = {dim for result in results for dim in result.used_dims()}
        if used & reduced and not used >= parallel:
            return Kind.CONTRACTION
        if any(_overlaps(result, generic.bounds, parallel, reduced) for result in results):
            return Kind.CONTRACTION
    return Kind.ROWS


def _overlaps(
    expression: AffineExpr, bounds: tuple[int, ...], parallel: frozenset[int], reduced: frozenset[int]
) -> bool:
    """Whether an index of parallel and reduced dims may be the same for two of their values, as in a pooling window."""
    used = expression.used_dims()
    if not used & parallel or not used & reduced:
        return False
    form = linear_form(expression)
    if form is None:
        return True
    reach = 0
    for coefficient, dim in sorted((abs(coefficient), dim) for dim, coefficient in form.dims.items()):
        if coefficient <= reach:
            return True
        reach += coefficient * (bounds[dim] - 1)
    return False
