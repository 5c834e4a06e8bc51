"""Stores at warp level: all lanes compute, one stores."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from xdsl.dialects import scf
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects import cuda
from rammer_ir.dialects.block import MemorySpace, ParallelOp, WarpReduceOp, memory_space
from rammer_ir.locations import rewriter_at
from rammer_ir.lowering.from_block.cuda_roles import Roles
from rammer_ir.lowering.from_block.structure import loaded_array, stored_array

Spaces = AbstractSet[MemorySpace | None]


def store_once(loop: ParallelOp, roles: Roles) -> None:
    """
    In a loop over warps, have the first lane alone do the stores that are not by index of a reduction.

    Where the loop also loads from memory of the same kind, the lanes meet before a store, so that none loads too late,
    and after it, so that none loads too early.
    """
    loaded = _spaces(loaded_array(op) for op in loop.body.walk())
    _guard_stores(loop.body.block, loaded, roles)


def _spaces(arrays: Iterable[SSAValue | None]) -> set[MemorySpace | None]:
    return {memory_space(array) for array in arrays if array is not None}


def _is_seen_by_others(op: Operation) -> bool:
    """Whether an op stores where other lanes may load."""
    array = stored_array(op)
    return array is not None and memory_space(array) is not MemorySpace.THREAD


def _guard_stores(block: Block, loaded: Spaces, roles: Roles) -> None:
    stores: list[Operation] = []
    for op in [*block.ops]:
        if _is_seen_by_others(op):
            stores.append(op)
            continue
        _guard(stores, loaded, roles)
        stores = []
        if isinstance(op, WarpReduceOp):
            _meet_around(op, [nested for nested in op.body.walk() if _is_seen_by_others(nested)], loaded)
            continue
        for region in op.regions:
            for nested_block in region.blocks:
                _guard_stores(nested_block, loaded, roles)


def _guard(stores: Sequence[Operation], loaded: Spaces, roles: Roles) -> None:
    """Put stores that follow each other under the condition that this is the first lane."""
    if not stores:
        return
    rewriter = rewriter_at(stores[0])
    rewriter.insertion_point = InsertPoint.before(stores[0])
    guarded = rewriter.insert(scf.IfOp(roles.is_first_lane, [], Region(Block())))
    for store in stores:
        store.detach()
    guarded.true_region.block.add_ops([*stores, scf.YieldOp()])
    _meet_around(guarded, stores, loaded)


def _meet_around(op: Operation, stores: Sequence[Operation], loaded: Spaces) -> None:
    """Have the lanes meet before and after an op if what the stores in it write may also be loaded."""
    if loaded.isdisjoint(_spaces(stored_array(store) for store in stores)):
        return
    rewriter = rewriter_at(op)
    rewriter.insert(cuda.WarpBarrierOp(), InsertPoint.before(op))
    rewriter.insert(cuda.WarpBarrierOp(), InsertPoint.after(op))
