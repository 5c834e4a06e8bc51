"""Candidates that split long sums: partial sums by many tasks, then their sum in a fixed order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.utils.hints import isa

from rammer_ir.cost.analytic import TaskWork, task_microseconds
from rammer_ir.cost.device_rates import rates_of
from rammer_ir.cost.devices.description import Rates
from rammer_ir.dialects.rop import GenericOp, OperatorOp, SplitAttr, TilingAttr
from rammer_ir.dialects.rop_attributes import Arithmetic, arithmetic_of
from rammer_ir.dialects.vdevice import DeviceOp
from rammer_ir.errors import PassError
from rammer_ir.indexing.linear import linear_form
from rammer_ir.locations import describe_op
from rammer_ir.pass_api import Pass
from rammer_ir.passes.rop.tile import tilings_of
from rammer_ir.scheduling.program_form import device_of, element_bytes
from rammer_ir.tiling.equal_operators import equal_operators
from rammer_ir.tiling.split_reduction import SplitReduction, can_split
from rammer_ir.tiling.task_dimensions import generics_of, task_dimensions
from rammer_ir.tiling.tile_sizes import THREADS

FEWEST_ADDITIONS = 1024
"""Elements of parts that a task adds up: fewer, and fixed costs of tasks count for more."""

FEWEST_TERMS = 128
"""Products in a partial sum: below this many, what a task costs whatever it does outweighs them."""

MOST_PADDING = 1.125
"""Chunks of K are padded: what that may add to the work by splitting."""

MOST_SPLITS = 2
"""Candidates for an operator, those whose partial sums seem to take least time: each means two kernels to make."""


@dataclass(frozen=True)
class SplitReductions(Pass):
    """
    Records on operators that are products with few tiles how their sums may be split (`splits`).

    Where the tasks of a tiling would leave many vEUs idle, the longest reduced loop is cut into as many equal parts as
    fill them once. The candidates that seem fastest are kept; `select-kernels` chooses. Operators must have been tiled
    (pass `tile`).
    """

    name = "split-reductions"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        device, arithmetic = device_of(op), arithmetic_of(op)
        for operators in [*equal_operators(op)]:
            # One for each shape of block: that of the most parts.
            splits = {split.partial.block: split for split in _splits(operators[0], device, arithmetic)}
            best = _fastest(operators[0], list(splits.values()), device)
            for operator in operators if best else ():
                operator.attributes["splits"] = ArrayAttr(best)


def _splits(operator: OperatorOp, device: DeviceOp, arithmetic: Arithmetic) -> Iterator[SplitAttr]:
    """What is worth considering, few parts first."""
    tilings = operator.attributes.get("tilings")
    if not isa(tilings, ArrayAttr[TilingAttr]):
        raise PassError("an operator has no tilings: run the pass tile first", location=describe_op(operator))
    kinds = {tiling.kind for tiling in tilings}
    if kinds & {"generic", "recurrence"} or not can_split(operator):
        return
    first = generics_of(operator)[0]
    reduced = first.reduction_dims()
    dim = max(reduced, key=lambda dim: first.bounds[dim])
    bound = first.bounds[dim]
    most = min(prod(first.bounds[dim] for dim in reduced) // FEWEST_TERMS, bound, device.veus)
    tasks = {_tasks(operator, tiling) for tiling in tilings}
    for parts in range(2, most + 1):
        if bound % parts == 0 and any(_fill(count * parts, device) for count in tasks):
            split = SplitReduction.of(operator, dim, parts)
            total = _total_tiling(split.total, parts, device)
            for partial in tilings_of(split.partial, device, arithmetic):
                if partial.kind in kinds and _fill(_tasks(split.partial, partial), device):
                    if _padded(bound // parts, partial) * parts <= _padded(bound, partial) * MOST_PADDING:
                        yield SplitAttr(dim, parts, partial, total)
            split.erase()


def _fastest(operator: OperatorOp, splits: Sequence[SplitAttr], device: DeviceOp) -> Sequence[SplitAttr]:
    """Those of which the tasks of the partial sums seem to take least time, in the order in which they came."""
    if len(splits) <= MOST_SPLITS:
        return splits
    rates = rates_of(device)
    times = {split: _microseconds(operator, split, device, rates) for split in splits}
    best = sorted(splits, key=lambda split: times[split])[:MOST_SPLITS]
    return [split for split in splits if split in best]


def _microseconds(operator: OperatorOp, split: SplitAttr, device: DeviceOp, rates: Rates) -> float:
    """An estimate of a task of the partial sums: its products, and the elements that they are made of."""
    first = generics_of(operator)[0]
    tile, block = split.partial.tile, split.partial.block
    # The parts are the outermost loop.
    k = prod(tile[dim + 1] for dim in first.reduction_dims())
    sums = prod(tile) // k
    columns = min(block[1] if split.partial.kind == "contraction" else block[0], sums)
    size = element_bytes(first.res[0])
    weights = k * columns * size
    bytes_moved = weights + (k * (sums // columns) + sums) * size
    products = sums * k
    if split.partial.arithmetic is Arithmetic.FP32:
        work = TaskWork(products, bytes_moved, weights)
    else:
        work = TaskWork(0.0, bytes_moved, weights, products * split.partial.arithmetic.products)
    tasks = split.parts * prod(-(-bound // cut) for bound, cut in zip(first.bounds, tile[1:], strict=True))
    return task_microseconds(work, tasks, device.veus, rates)


def _total_tiling(operator: OperatorOp, parts: int, device: DeviceOp) -> TilingAttr:
    """
    Strips of what the sum of the parts writes, in the order of memory: at most one for each vEU, and an element for
    each thread.

    A loop is cut only if all loops inside it in memory are whole, so that no two strips interleave.
    """
    root = generics_of(operator)[-1]
    cuttable = {dimension.loops[-1] for dimension in task_dimensions(operator)}
    order = [dim for dim in _memory_order(root) if dim in cuttable]
    elements = prod(root.bounds[dim] for dim in order)
    threads = THREADS[device.kind.data]
    left = max(-(-elements // device.veus), threads, FEWEST_ADDITIONS // parts)
    tile = list(root.bounds)
    for dim in order:
        bound = root.bounds[dim]
        tile[dim] = next(size for size in range(min(bound, left), bound + 1) if bound % size == 0)
        left = -(-left // bound) if tile[dim] == bound else 1
    return TilingAttr("generic", tile, threads)


def _memory_order(root: GenericOp) -> Iterator[int]:
    """The loops of a generic by their places in its result, innermost first; none of those without a place."""
    for result in reversed(root.output_maps[0].data.results):
        form = linear_form(result)
        steps = {} if form is None else form.dims
        yield from sorted(steps, key=lambda dim: abs(steps[dim]))


def _padded(bound: int, tiling: TilingAttr) -> int:
    """Iterations of the split loop, with those that fill the last chunk up."""
    rows = tiling.block[-1]
    return -(-bound // rows) * rows


def _fill(tasks: int, device: DeviceOp) -> bool:
    """Whether so many tasks keep more than a third of the vEUs busy, and all are so at once."""
    return device.veus < 3 * tasks <= 3 * device.veus


def _tasks(operator: OperatorOp, tiling: TilingAttr) -> int:
    bounds = generics_of(operator)[-1].bounds
    return prod(-(-bound // size) for bound, size in zip(bounds, tiling.tile, strict=True))
