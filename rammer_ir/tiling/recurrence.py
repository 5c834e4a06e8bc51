"""Recognises the step of a recurrence whose weights can stay on the vEUs that use them, from step to step."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.dialects.builtin import AffineMapAttr
from xdsl.ir import BlockArgument
from xdsl.ir.affine import AffineSymExpr

from rammer_ir.dialects.rop import GenericOp, used_dims
from rammer_ir.tiling.products import is_sum_of_products
from rammer_ir.tiling.task_dimensions import shared_dimensions

MOST_VECTORS = 4
"""Sequences of a batch: each takes registers for its sums."""


@dataclass(frozen=True)
class Product:
    """
    A sum of products of a step: the numbers of its inputs that are the vector and the weight.

    Loops: `gates` (of the weight and of the result, computed together), `k` (reduced), the rest are task dimensions.
    """

    generic: GenericOp
    x: int
    w: int
    gates: tuple[int, ...]
    k: int

    @property
    def weights(self) -> int:
        """Weights of a unit."""
        return prod(self.generic.bounds[dim] for dim in (*self.gates, self.k))


@dataclass(frozen=True)
class Step:
    """
    The step of a scan: its generics, the last of which writes all states and results.

    `unit` is the loop of the last one along which the step is cut, with `units` indices; `vectors` the number of
    sequences.
    """

    generics: tuple[GenericOp, ...]
    products: tuple[Product, ...]
    unit: int
    units: int
    vectors: int

    @property
    def weights(self) -> int:
        """Weights of a unit in all products."""
        return sum(product.weights for product in self.products)

    @property
    def root(self) -> GenericOp:
        return self.generics[-1]


def match_step(generics: Sequence[GenericOp], coordinates: int = 0) -> Step | None:
    """
    The step that generics, the root last, are; None where they are something else.

    They are float32 sums of products of vectors and matrices, none of a sum of another, and element-wise operations;
    the root shares all of its loops with them. The first symbols of their maps are a task's `coordinates`, another one
    is the step.
    """
    if not generics or generics[-1].reduction_dims() or not generics[-1].into:
        return None
    dimensions = shared_dimensions(generics)
    root = generics[-1]
    shared = {dimension.loops[-1] for dimension in dimensions}
    if any(bound > 1 and dim not in shared for dim, bound in enumerate(root.bounds)):
        return None
    products: list[Product] = []
    units: set[int] = set()
    for number, generic in enumerate(generics):
        if generic.extracted or (number < len(generics) - 1 and (generic.into or len(generic.res) != 1)):
            return None
        if not any(generic.reduction_dims(result) for result in range(len(generic.res))):
            continue
        loops = {dimension.loops[number]: dimension.loops[-1] for dimension in dimensions}
        product = _product(generic, loops, coordinates)
        if product is None:
            return None
        products.append(product)
        in_w, in_x = (used_dims(generic.input_maps[number]) for number in (product.w, product.x))
        units |= {loops[dim] for dim in in_w - in_x if dim in loops and generic.bounds[dim] > 1}
    if not products or len(units) != 1:
        return None
    (unit,) = units
    vectors = prod(bound for dim, bound in enumerate(root.bounds) if dim != unit)
    if vectors > MOST_VECTORS:
        return None
    return Step(tuple(generics), tuple(products), unit, root.bounds[unit], vectors)


def _product(generic: GenericOp, shared: dict[int, int], coordinates: int) -> Product | None:
    reduced = [dim for dim in generic.reduction_dims() if generic.bounds[dim] > 1]
    if not is_sum_of_products(generic) or len(reduced) != 1 or generic.into:
        return None
    if not all(isinstance(value, BlockArgument) for value in generic.inputs):
        return None
    parallel = {dim for dim, bound in enumerate(generic.bounds) if bound > 1} - {reduced[0]}
    gates = tuple(sorted(parallel - shared.keys()))
    for w in (1, 0):
        in_w, in_x = used_dims(generic.input_maps[w]), used_dims(generic.input_maps[1 - w])
        is_weight = not mentions_step(generic.input_maps[w], coordinates) and reduced[0] in in_w & in_x
        if is_weight and set(gates) <= in_w - in_x and (in_w - in_x) & parallel & shared.keys():
            return Product(generic, 1 - w, w, gates, reduced[0])
    return None


def mentions_step(map_attr: AffineMapAttr, coordinates: int) -> bool:
    """Whether what a map gives depends on more than the loops and the first symbols, a task's coordinates."""
    return any(
        isinstance(part, AffineSymExpr) and part.position >= coordinates
        for result in map_attr.data.results
        for part in result.dfs()
    )
