"""Candidate tilings for every operator."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import GenericOp, OperatorOp, TilingAttr
from rammer_ir.dialects.rop_attributes import Arithmetic, arithmetic_of
from rammer_ir.dialects.vdevice import DeviceOp
from rammer_ir.errors import PassError
from rammer_ir.generics.loop_classes import loop_classes
from rammer_ir.indexing.linear import linear_form
from rammer_ir.indexing.ranges import Range, extent_ranges
from rammer_ir.indexing.simplify import linearize
from rammer_ir.pass_api import Pass
from rammer_ir.tiling.contraction import Contraction, match_contraction, reads_pieces
from rammer_ir.tiling.equal_operators import equal_operators
from rammer_ir.tiling.exact_tiles import writes_exactly
from rammer_ir.tiling.matrix_vector import match_matrix_vector
from rammer_ir.tiling.matrix_vector_tiles import matrix_vector_tiles
from rammer_ir.tiling.strips import Extents, strips
from rammer_ir.tiling.task_dimensions import generics_of, task_dimensions
from rammer_ir.tiling.tile_sizes import THREADS, contraction_tiles, generic_tiles, mma_tiles
from rammer_ir.tiling.windows import windows_of

LONGEST_ROW = 2048
"""Elements of a row that the lanes of a warp keep in registers."""


@dataclass(frozen=True)
class Tile(Pass):
    """
    Records on every `rop.operator` the tilings that are worth considering on the module's device (`set-device`).

    A contraction gets block shapes that its threads can compute, a matrix-vector product several numbers of columns;
    every other operator gets generic tilings, with enough tasks for all vEUs where there is enough work. Operators that
    have tilings keep them.
    """

    name = "tile"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        devices = [found for found in op.walk() if isinstance(found, DeviceOp)]
        if len(devices) != 1:
            raise PassError("tile needs one vdevice.device in the module: run set-device first")
        arithmetic = arithmetic_of(op)
        for operators in [*equal_operators(op)]:
            if "tilings" in operators[0].attributes:
                continue
            tilings = ArrayAttr(tilings_of(operators[0], devices[0], arithmetic))
            for operator in operators:
                operator.attributes["tilings"] = tilings


def tilings_of(operator: OperatorOp, device: DeviceOp, arithmetic: Arithmetic) -> list[TilingAttr]:
    """The tilings of an operator that are worth considering on a device, with products no less exact than allowed."""
    work = max(prod(generic.bounds) for generic in generics_of(operator))
    elements = prod(dimension.extent for dimension in task_dimensions(operator))
    return (
        [*_matrix_vector_tilings(operator, device)]
        or [*_contraction_tilings(operator, device, arithmetic)]
        or [*generic_tilings(operator, device, work=work // max(elements, 1))]
    )


def _matrix_vector_tilings(operator: OperatorOp, device: DeviceOp) -> Iterator[TilingAttr]:
    roles = match_matrix_vector(operator)
    if roles is None:
        return
    first, root = generics_of(operator)[0], generics_of(operator)[-1]
    dimensions = {dimension.loops[0]: dimension.loops[-1] for dimension in task_dimensions(operator)}
    m, k = (prod(first.bounds[dim] for dim in dims) for dims in (roles.m, roles.k))
    n, columns = first.bounds[roles.n], dimensions[roles.n]
    must_divide = _is_part_of_larger(operator, columns)
    for shape in matrix_vector_tiles(device.kind.data, m, n, k):
        if must_divide and n % shape.columns:
            continue
        tile = list(root.bounds)
        for dim in roles.batch:
            tile[dimensions[dim]] = 1
        tile[columns] = min(n, shape.columns)
        block = (shape.columns, shape.rows)
        if writes_exactly(operator, tile):
            yield TilingAttr("matrix_vector", tile, THREADS[device.kind.data], block=block, slices=shape.slices)


def _contraction_tilings(operator: OperatorOp, device: DeviceOp, arithmetic: Arithmetic) -> Iterator[TilingAttr]:
    contraction = match_contraction(operator)
    if contraction is None or not _pays(operator, contraction):
        return
    first = generics_of(operator)[0]
    root = generics_of(operator)[-1]
    dimensions = {dimension.loops[0]: dimension for dimension in task_dimensions(operator)}
    whole = {
        dimension.loops[-1] for dimension in dimensions.values() if _is_part_of_larger(operator, dimension.loops[-1])
    }
    rows = contraction.channels and reads_pieces(first, contraction.x, contraction.k[-1])
    extents, n = [first.bounds[dim] for dim in contraction.m], first.bounds[contraction.n]
    # Tensor cores take X by rows; other contractions, and other devices, compute more exactly than they would have to.
    if device.kind.data != "cuda" or not rows:
        arithmetic = Arithmetic.FP32
    is_exact = arithmetic is Arithmetic.FP32
    shapes = contraction_tiles(device.kind.data, extents, n, rows=rows) if is_exact else mma_tiles(extents, n)
    for shape in shapes:
        tile = list(root.bounds)
        for dim in contraction.batch:
            tile[dimensions[dim].loops[-1]] = 1
        for dim, size in zip((*contraction.m, contraction.n), (*shape.tile_m, shape.tile_n), strict=True):
            tile[dimensions[dim].loops[-1]] = size
        if all(root.bounds[dim] % tile[dim] == 0 for dim in whole) and writes_exactly(operator, tile):
            yield TilingAttr(
                "contraction",
                tile,
                THREADS[device.kind.data],
                block=shape.block,
                slices=shape.slices,
                arithmetic=arithmetic,
            )


def _pays(operator: OperatorOp, contraction: Contraction) -> bool:
    """Whether there is enough to share between threads: a matrix-vector product has not."""
    bounds = generics_of(operator)[0].bounds
    m = prod(bounds[dim] for dim in contraction.m)
    k = prod(bounds[dim] for dim in contraction.k)
    return m >= 8 and bounds[contraction.n] >= 8 and k >= 8


def _is_part_of_larger(operator: OperatorOp, dim: int) -> bool:
    """Whether the root writes a dimension into part of a tensor's: a tile that overhangs would overwrite the rest."""
    root = generics_of(operator)[-1]
    for value, write_map in zip(root.res, root.output_maps, strict=True):
        shape = value.type.get_shape()
        plain = AffineExpr.dimension(dim)
        if not any(
            result == plain and shape[position] == root.bounds[dim]
            for position, result in enumerate(write_map.data.results)
        ):
            return True
    return False


def generic_tilings(operator: OperatorOp, device: DeviceOp, *, work: int) -> Iterator[TilingAttr]:
    """Tilings for threads that share nothing; `work` is the number of inner iterations for one element."""
    root = generics_of(operator)[-1]
    dims = [dimension.loops[-1] for dimension in task_dimensions(operator)]
    extents = [root.bounds[dim] for dim in dims]
    divide = [_is_part_of_larger(operator, dim) for dim in dims]
    kind = device.kind.data
    elements = max(prod(extents), 1)
    if kind == "cuda":
        handed_on = _handed_on(operator) // elements
        is_contiguous = bool(dims) and _is_innermost(root, dims[-1])
        shape = Extents(tuple(extents), tuple(divide), work, handed_on, is_contiguous, windows_of(operator))
        candidates: Iterable[tuple[int, ...]] = strips(shape, device.veus)
    else:
        handed_on = -(-sum(_intermediate_sizes(operator)) // elements)
        candidates = generic_tiles(extents, divide, device.veus, work, handed_on)
    tiles = (_root_tile(root.bounds, dims, sizes) for sizes in candidates)
    yield TilingAttr("generic", next(tile for tile in tiles if writes_exactly(operator, tile)), THREADS[kind])


def _root_tile(bounds: Sequence[int], dims: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """The bounds of the root's loops, some of them cut."""
    tile = list(bounds)
    for dim, size in zip(dims, sizes, strict=True):
        tile[dim] = size
    return tile


def _handed_on(operator: OperatorOp) -> int:
    """Elements of the largest tensor that the operator's generics hand on to each other in memory, not in registers."""
    generics = generics_of(operator)
    classes = loop_classes(generics)
    if classes is not None and prod(classes.extents[number] for number in classes.inner) <= LONGEST_ROW:
        return 0
    return max(_intermediate_sizes(operator), default=0)


def _intermediate_sizes(operator: OperatorOp) -> list[int]:
    """Elements of each tensor that one of the operator's generics leaves to another."""
    return [prod(value.type.get_shape()) for generic in generics_of(operator)[:-1] for value in generic.res]


def _is_innermost(generic: GenericOp, dim: int) -> bool:
    """Whether indices of a loop that follow each other write neighbours in memory, in all results."""
    ranges = extent_ranges(generic.bounds)
    for value, write_map in zip(generic.res, generic.output_maps, strict=True):
        symbols = [Range(0, 2**31)] * write_map.data.num_symbols
        address = linear_form(linearize(write_map.data, value.type.get_shape(), ranges, symbols).results[0])
        if address is None or address.dims.get(dim) != 1:
            return False
    return True
