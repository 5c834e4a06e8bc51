"""Recognises products of a few vectors and a constant matrix: y[m, n] = sum over k of X[m, k] * W[k, n]."""

from dataclasses import dataclass
from math import prod

from rammer_ir.dialects.rop import GenericOp, OperatorOp, TilingAttr, tensor_type, used_dims
from rammer_ir.errors import RammerError
from rammer_ir.indexing.linear import linear_form
from rammer_ir.indexing.ranges import extent_ranges
from rammer_ir.indexing.simplify import linearize
from rammer_ir.locations import describe_op
from rammer_ir.tiling.products import is_sum_of_products, is_weight_of_its_own
from rammer_ir.tiling.task_dimensions import generics_of, task_dimensions

MOST_VECTORS = 8
"""With more, arithmetic counts for more than the bytes of the matrix."""

FEWEST_WEIGHTS = 16384
"""Elements of a matrix that are worth streaming: four chunks."""

FEWEST_TERMS = 64
"""Below this many products in a sum, a chunk has too many columns for the threads."""

MOST_ELEMENTS = 2**31 - 1
"""A body keeps places in X as 32-bit numbers."""


@dataclass(frozen=True)
class MatrixVector:
    """
    How the first generic of a matrix-vector product reads its two inputs.

    `x` and `w` are numbers of its inputs; loop dimensions: `m` (in X and the result, together at most `MOST_VECTORS`),
    `n` (in W and the result), `batch` (all other parallel ones), `k` (reduced, in the order in which X has them in
    memory, outermost first).
    """

    x: int
    w: int
    m: tuple[int, ...]
    n: int
    batch: tuple[int, ...]
    k: tuple[int, ...]


def match_matrix_vector(operator: OperatorOp) -> MatrixVector | None:
    """
    The matrix-vector product that an operator is, or None.

    Its first generic is a float32 sum of products with a weight, large enough and of few vectors; what follows is
    element-wise on the result.
    """
    first, *rest = generics_of(operator)
    if any(generic.reduction_dims(result) for generic in rest for result in range(len(generic.res))):
        return None
    if not is_sum_of_products(first) or len(first.res) != 1 or first.at or not _has_its_loops(operator):
        return None
    for w in (1, 0):
        if is_weight_of_its_own(operator, first.inputs[w]):
            return _roles(first, 1 - w, w)
    return None


def check_tile(operator: OperatorOp, roles: MatrixVector, tiling: TilingAttr) -> None:
    """Raises RammerError where a task would not have the columns of one tile of the packed matrix, and one batch."""
    bounds = generics_of(operator)[0].bounds
    sizes = {dimension.loops[0]: tiling.tile[dimension.loops[-1]] for dimension in task_dimensions(operator)}
    columns, n = tiling.block[0], bounds[roles.n]
    size = min(sizes[roles.n], n)
    if size > columns or (size < n and size != columns) or any(sizes[dim] > 1 for dim in roles.batch):
        raise RammerError(
            f"tiling {tiling} has tiles that are not the {columns} columns of a chunk, for one index of a batch",
            location=describe_op(operator),
        )


def _has_its_loops(operator: OperatorOp) -> bool:
    """Whether every parallel loop of the first generic and every loop of the last is a task dimension."""
    first, *_, root = (*generics_of(operator), generics_of(operator)[-1])
    dimensions = task_dimensions(operator)
    reduced = first.reduction_dims()
    ours = {dim for dim, bound in enumerate(first.bounds) if bound > 1 and dim not in reduced}
    roots = {dim for dim, bound in enumerate(root.bounds) if bound > 1 and (root is not first or dim not in reduced)}
    return ours <= {dimension.loops[0] for dimension in dimensions} and roots <= {
        dimension.loops[-1] for dimension in dimensions
    }


def _roles(generic: GenericOp, x: int, w: int) -> MatrixVector | None:
    in_x, in_w = used_dims(generic.input_maps[x]), used_dims(generic.input_maps[w])
    k = generic.reduction_dims()
    parallel = [dim for dim, bound in enumerate(generic.bounds) if dim not in k and bound > 1]
    columns = [dim for dim in parallel if dim in in_w and dim not in in_x]
    m = tuple(dim for dim in parallel if dim in in_x and dim not in in_w)
    if not columns or any(dim not in in_x or dim not in in_w for dim in k):
        return None
    n = max(columns, key=lambda dim: generic.bounds[dim])
    batch = tuple(dim for dim in parallel if dim != n and dim not in m)
    terms = prod(generic.bounds[dim] for dim in k)
    if prod(generic.bounds[dim] for dim in m) > MOST_VECTORS or terms < FEWEST_TERMS:
        return None
    if terms * generic.bounds[n] < FEWEST_WEIGHTS or prod(tensor_type(generic.inputs[x]).get_shape()) > MOST_ELEMENTS:
        return None
    return MatrixVector(x, w, m, n, batch, _in_memory_order(generic, x, k))


def _in_memory_order(generic: GenericOp, x: int, k: tuple[int, ...]) -> tuple[int, ...]:
    """The reduced loops, those with the longest strides in X first; as they are where X has no strides."""
    shape = tensor_type(generic.inputs[x]).get_shape()
    linear = linearize(generic.input_maps[x].data, shape, extent_ranges(generic.bounds)).results[0]
    form = linear_form(linear)
    return k if form is None else tuple(sorted(k, key=lambda dim: -form.dims.get(dim, 0)))
