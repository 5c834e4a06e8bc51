"""Recognises what a contraction body can compute: sums of products, C[m, n] = sum over k of X[m, k] * W[k, n]."""

from dataclasses import dataclass
from math import prod

from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import GenericOp, OperatorOp, tensor_type, used_dims
from rammer_ir.indexing.linear import LinearForm, linear_form
from rammer_ir.indexing.ranges import extent_ranges, map_ranges
from rammer_ir.indexing.sums import additive_terms
from rammer_ir.tiling.products import is_sum_of_products, is_weight_of_its_own
from rammer_ir.tiling.task_dimensions import TaskDimension, generics_of, task_dimensions


@dataclass(frozen=True)
class Contraction:
    """
    How a contraction's first generic reads its two inputs.

    `x` and `w` are numbers of its inputs; loop dimensions: `m` (in X and the result, at most two, the innermost of the
    result last), `n` (in W and the result), `batch` (all other parallel ones), `k` (reduced, outermost first).
    `checked` are the dimensions of X in which reads may be out of range, at most two.

    With `channels`, X's elements along the last of `k` are evenly spaced and in range: the rest of `k` are the taps of
    a stencil, and a chunk of K has one tap. Otherwise every row of K has its own.
    """

    x: int
    w: int
    m: tuple[int, ...]
    n: int
    batch: tuple[int, ...]
    k: tuple[int, ...]
    checked: tuple[int, ...]
    channels: bool


def match_contraction(operator: OperatorOp) -> Contraction | None:
    """
    The contraction that an operator is, or None.

    Its first generic is a float32 sum of products with a weight, and what follows is element-wise on the result.
    """
    first, *rest = generics_of(operator)
    dimensions = task_dimensions(operator)
    if any(generic.reduction_dims(result) for generic in rest for result in range(len(generic.res))):
        return None
    if not is_sum_of_products(first) or len(first.res) != 1 or first.at:
        return None
    for w in (1, 0):
        if is_weight_of_its_own(operator, first.inputs[w]):
            return _roles(first, 1 - w, w, dimensions)
    return None


def _roles(generic: GenericOp, x: int, w: int, dimensions: tuple[TaskDimension, ...]) -> Contraction | None:
    in_x, in_w = used_dims(generic.input_maps[x]), used_dims(generic.input_maps[w])
    if prod(tensor_type(generic.inputs[x]).get_shape()) > MOST_ELEMENTS:
        return None
    k = generic.reduction_dims()
    parallel = [dim for dim, bound in enumerate(generic.bounds) if dim not in k and bound > 1]
    if not k or not {dimension.loops[0] for dimension in dimensions}.issuperset(parallel):
        return None
    only_w = [dim for dim in parallel if dim in in_w and dim not in in_x]
    only_x = [dim for dim in parallel if dim in in_x and dim not in in_w]
    if not only_w or not only_x or any(dim not in in_x or dim not in in_w for dim in k):
        return None
    n = max(only_w, key=lambda dim: generic.bounds[dim])
    order = _result_order(generic)
    m = tuple(sorted(only_x, key=order.index)[-2:])
    batch = tuple(dim for dim in parallel if dim != n and dim not in m)
    x_map, w_map = generic.input_maps[x].data, generic.input_maps[w].data
    if not all(_is_separable(expression, set(k)) for expression in (*x_map.results, *w_map.results)):
        return None
    checked = _dimensions_out_of_range(generic, x)
    if len(checked) > 2:
        return None
    channel = _channel_dim(generic, x, k, checked)
    if channel is not None:
        k = (*(dim for dim in k if dim != channel), channel)
    return Contraction(x, w, m, n, batch, k, checked, channel is not None)


PIECE = 4
"""Elements of X that are copied at once where its channels are neighbours in memory."""


def reads_pieces(generic: GenericOp, x: int, channel: int) -> bool:
    """Whether the elements of input `x` along the loop `channel` are neighbours that begin at whole pieces."""
    shape = tensor_type(generic.inputs[x]).get_shape()
    total = LinearForm()
    for position, result in enumerate(generic.input_maps[x].data.results):
        form = linear_form(result)
        if form is None:
            return False
        total = total.plus(form.scaled(prod(shape[position + 1 :])))
    others = [factor for dim, factor in total.dims.items() if dim != channel]
    steps = (total.constant, *others, *total.symbols.values(), generic.bounds[channel])
    return total.dims.get(channel) == 1 and all(step % PIECE == 0 for step in steps)


MOST_ELEMENTS = 2**31 - 1
"""A body keeps places in X as 32-bit numbers."""

FEWEST_CHANNELS = 16
"""Below this many, chunks of one tap would be mostly empty."""


def _channel_dim(generic: GenericOp, x: int, k: tuple[int, ...], checked: tuple[int, ...]) -> int | None:
    """The longest reduced dimension along which X is evenly spaced and in range, if it is long enough."""
    results = generic.input_maps[x].data.results

    def is_even(dim: int) -> bool:
        users = [position for position, result in enumerate(results) if dim in result.used_dims()]
        if any(position in checked for position in users):
            return False
        terms = [term for position in users for term in additive_terms(results[position]) if dim in term.used_dims()]
        return all(linear_form(term) is not None for term in terms)

    candidates = [dim for dim in k if generic.bounds[dim] >= FEWEST_CHANNELS and is_even(dim)]
    return max(candidates, key=lambda dim: generic.bounds[dim], default=None)


def _result_order(generic: GenericOp) -> list[int]:
    """Loop dimensions in the order in which the result's map mentions them."""
    return [dim for result in generic.output_maps[0].data.results for dim in sorted(result.used_dims())]


def _is_separable(expression: AffineExpr, reduced: set[int]) -> bool:
    """Whether it is a linear form of parallel dims plus any function of reduced ones."""
    for term in additive_terms(expression):
        dims = term.used_dims()
        if dims & reduced:
            if dims - reduced:
                return False
        elif linear_form(term) is None:
            return False
    return True


def _dimensions_out_of_range(generic: GenericOp, number: int) -> tuple[int, ...]:
    """Dimensions of an input in which reads may leave it."""
    shape = tensor_type(generic.inputs[number]).get_shape()
    ranges = map_ranges(generic.input_maps[number].data, extent_ranges(generic.bounds))
    return tuple(
        dim
        for dim, (values, extent) in enumerate(zip(ranges, shape, strict=True))
        if values.low < 0 or values.high >= extent
    )
