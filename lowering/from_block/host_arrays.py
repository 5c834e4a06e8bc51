"""Arrays that each thread has, on a host where one thread executes the iterations of all."""

from xdsl.dialects import memref
from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Operation, SSAValue

from rammer_ir.dialects import block
from rammer_ir.dialects.block import MemorySpace, ParallelOp, memory_space
from rammer_ir.dialects.nesting import enclosing_op
from rammer_ir.locations import rewriter_at
from rammer_ir.lowering.element_types import static_shape
from rammer_ir.lowering.from_block.structure import array_loops, constant_index, refuse


def give_each_thread_its_row(body: block.BodyOp) -> None:
    """
    Give per-thread arrays that outlive an iteration a leading dimension: the index of the loops that share them.

    The body has been checked, and its copies are loads and stores; raises CompileError for other uses of the arrays.
    """
    for op in [op for op in body.compute.walk() if isinstance(op, memref.AllocaOp)]:
        if memory_space(op.memref) is MemorySpace.THREAD and enclosing_op(op, ParallelOp) is None:
            _give_rows(op)


def _give_rows(op: memref.AllocaOp) -> None:
    rows = max((constant_index(loop.extent) or 0 for loop in array_loops(op)), default=1)
    old = op.memref.type
    shape = (rows, *static_shape(old))
    new = memref.AllocaOp.get(old.element_type, op.alignment, shape, memory_space=old.memory_space)
    new.memref.name_hint = op.memref.name_hint
    for user in [use.operation for use in op.memref.uses]:
        _use_row(user, new.memref)
    rewriter_at(op).replace(op, new)


def _use_row(user: Operation, array: SSAValue[MemRefType]) -> None:
    """Have a load or store of the old array use its iteration's row of the new one."""
    loop = enclosing_op(user, ParallelOp)
    assert loop is not None
    match user:
        case memref.LoadOp():
            rewriter_at(user).replace(user, memref.LoadOp.get(array, [loop.index, *user.indices]))
        case memref.StoreOp():
            rewriter_at(user).replace(user, memref.StoreOp.get(user.value, array, [loop.index, *user.indices]))
        case _:
            refuse(user, f"{user.name} of a per-thread array has no form in scf")
