"""What both lowerings of a body ask of it, and what they leave behind."""

from collections.abc import Iterable, Sequence
from typing import Final, NoReturn

from xdsl.dialects import arith, memref
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Operation, SSAValue

from rammer_ir.dialects import block
from rammer_ir.dialects.block import Level, MemorySpace, ParallelOp, memory_space
from rammer_ir.dialects.cuda import WARP_THREADS
from rammer_ir.dialects.nesting import enclosing_op
from rammer_ir.errors import CompileError
from rammer_ir.locations import describe_op

SERVICE_SUFFIX: Final = "_service"
"""Behind a body's name: the function that the service role executes for it."""

IN_ORDER_ATTRIBUTE: Final = "block.in_order"
"""Attribute of a body whose ops stand in the order in which they had best be issued."""

NEUTRAL_OPS: Final = (block.RingPushOp, block.RingWaitOp, block.RingReleaseOp, block.StepsOp)
"""Ops of the block dialect that stay: both targets print them."""


def refuse(op: Operation, message: str) -> NoReturn:
    """Raise CompileError for an op of a body."""
    raise CompileError(message, location=describe_op(op))


def constant_index(value: SSAValue) -> int | None:
    """The value of an `arith.constant`; None for other values."""
    if isinstance(value.owner, arith.ConstantOp) and isinstance(value.owner.value, IntegerAttr):
        return value.owner.value.value.data
    return None


def stored_array(op: Operation) -> SSAValue | None:
    """The array that an op writes; None if it writes none."""
    if isinstance(op, memref.StoreOp):
        return op.memref
    return op.target if isinstance(op, block.CopyOp | block.CopyAsyncOp) else None


def loaded_array(op: Operation) -> SSAValue | None:
    """The array that an op reads; None if it reads none."""
    if isinstance(op, memref.LoadOp):
        return op.memref
    return op.source if isinstance(op, block.CopyOp | block.CopyAsyncOp) else None


def check_body(body: block.BodyOp) -> None:
    """
    Refuse what would mean different things on different devices; raises CompileError with the op's place.

    Arrays are written in parallel loops, and per-thread arrays belong to one iteration of the loops that share them.
    """
    if body.threads == 1:
        return
    for op in body.compute.walk():
        loop = enclosing_op(op, ParallelOp)
        if isinstance(op, memref.AllocaOp):
            _check_array(op, body, loop)
        elif stored_array(op) is not None and loop is None:
            refuse(op, f"{op.name} stands outside parallel loops: all threads would store")


def _check_array(op: memref.AllocaOp, body: block.BodyOp, loop: ParallelOp | None) -> None:
    space = memory_space(op.memref)
    if space is MemorySpace.SHARED:
        if loop is not None:
            refuse(op, "a shared array is declared in a parallel loop: declare it outside")
    elif space is not MemorySpace.THREAD:
        refuse(op, f'an array of a body lies in memory space "shared" or "thread", not {op.memref.type}')
    elif loop is None:
        _check_sharing(op, body, array_loops(op))


def array_loops(op: memref.AllocaOp) -> Sequence[ParallelOp]:
    """The parallel loops that use a per-thread array declared outside of them; raises CompileError for other uses."""
    loops: dict[ParallelOp, None] = {}
    for use in op.memref.uses:
        loop = enclosing_op(use.operation, ParallelOp)
        if loop is None:
            refuse(use.operation, "a per-thread array is used outside of parallel loops: whose would it be?")
        loops[loop] = None
    return list(loops)


def _check_sharing(op: memref.AllocaOp, body: block.BodyOp, loops: Sequence[ParallelOp]) -> None:
    if len({loop.level for loop in loops}) > 1:
        refuse(op, "a per-thread array is used by loops over threads and by loops over warps")
    for loop in loops:
        iterations = body.threads if loop.level is Level.THREAD else body.threads // WARP_THREADS
        extent = constant_index(loop.extent)
        if extent is None or extent > iterations:
            refuse(
                loop,
                f"the loop uses a per-thread array declared outside of it: its extent must be a constant of at most "
                f"{iterations}",
            )


def check_converted(ops: Iterable[Operation], form: str) -> None:
    """Raise CompileError if an op of the block dialect is left that is not neutral; `form` is what was converted to."""
    for op in ops:
        for nested in op.walk():
            if isinstance(nested, block.YieldOp) and isinstance(nested.parent_op(), block.StepsOp):
                continue
            if nested.name.startswith("block.") and not isinstance(nested, NEUTRAL_OPS):
                refuse(nested, f"{nested.name} has no form in {form} here")
