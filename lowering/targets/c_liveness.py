"""Which ops of a function are not printed: those that only compute what nobody needs."""

from collections.abc import Set as AbstractSet

from xdsl.dialects import memref
from xdsl.ir import Operation, Region

from rammer_ir.dialects.block import MemorySpace, memory_space
from rammer_ir.lowering.targets.c_expressions import is_expression


def dead_ops(body: Region, computing: tuple[type[Operation], ...] = ()) -> AbstractSet[Operation]:
    """Ops without effects, those of the types `computing` among them, whose results only such ops use, or none."""
    dead: set[Operation] = set()
    for op in reversed([*body.walk()]):
        if not is_expression(op) and not isinstance(op, computing) and not _is_plain_access(op):
            continue
        if all(use.operation in dead for result in op.results for use in result.uses):
            dead.add(op)
    return dead


def _is_plain_access(op: Operation) -> bool:
    """Whether an op is an array, or a load that does not wait."""
    if isinstance(op, memref.LoadOp):
        return memory_space(op.memref) is not MemorySpace.WORDS
    return isinstance(op, memref.AllocaOp)
