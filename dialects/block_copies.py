"""Copies of several elements at once, some of them asynchronous."""

from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
)
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.block_memory import memref_type
from rammer_ir.dialects.block_structure import (
    verify_compute_role,
    verify_met_by_all_threads,
)
from rammer_ir.dialects.copy_operands import AsyncCopyOperands, CopyOperands, PendingCopies


@irdl_op_definition
class CopyOp(CopyOperands):
    """
    Copies `elements` consecutive elements, 1, 2 or 4, at once; both places are aligned to their size.

    Example: `block.copy 4 %tile[%k, %m], %fragment[%z] : memref<32x64xf32, "shared">, memref<8xf32, "thread">`
    """

    name = "block.copy"

    def verify_(self) -> None:
        _verify_copy(self)


@irdl_op_definition
class CopyAsyncOp(AsyncCopyOperands):
    """
    Starts a copy of 1 or 4 consecutive elements into shared memory; where the predicate is false the target gets zeros
    and nothing is read. Done once `block.wait_copies` says so, for the thread that started it.

    Example:
    `block.copy_async 1 %x[%address], %tile[%k, %m] if %inside : memref<?xf32, "global">, memref<32x64xf32, "shared">`
    """

    name = "block.copy_async"

    def verify_(self) -> None:
        _verify_copy(self)
        if self.elements == 2:
            raise VerifyException("1 or 4 elements are copied asynchronously, not 2")
        self.verify_memories()
        verify_compute_role(self)


def _verify_copy(op: CopyOperands) -> None:
    if op.elements not in (1, 2, 4):
        raise VerifyException(f"1, 2 or 4 elements are copied at once, not {op.elements}")
    op.verify_places()
    for value in (op.source, op.target):
        shape = memref_type(value).get_shape()
        if not shape:
            raise VerifyException(f"0 indices for {value.type}")
        if op.elements > 1 and 0 <= shape[-1] < op.elements:
            raise VerifyException(f"{op.elements} neighbours do not fit into the rows of {value.type}")


@irdl_op_definition
class CommitCopiesOp(IRDLOperation):
    """
    Makes a group of the asynchronous copies that each thread has started since the last one. Stands outside parallel
    loops.

    Example: `block.commit_copies`
    """

    name = "block.commit_copies"
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()

    def verify_(self) -> None:
        verify_met_by_all_threads(self)


@irdl_op_definition
class WaitCopiesOp(PendingCopies):
    """
    Waits until at most `pending` groups of each thread's asynchronous copies are unfinished. A barrier must follow
    before other threads read what was copied. Stands outside parallel loops.

    Example: `block.wait_copies 1`
    """

    name = "block.wait_copies"

    def verify_(self) -> None:
        self.verify_pending()
        verify_met_by_all_threads(self)
