"""Copies of several elements at once, some of them asynchronous."""

from collections.abc import Sequence

from xdsl.dialects.builtin import (
    IndexType,
    IntegerAttr,
    MemRefType,
    i1,
    i64,
)
from xdsl.ir import (
    Operation,
    SSAValue,
)
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    prop_def,
    var_operand_def,
)
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.block_memory import MemorySpace, memory_space, memref_type
from rammer_ir.dialects.block_structure import (
    verify_compute_role,
    verify_met_by_all_threads,
)
from rammer_ir.dialects.integers import integer


@irdl_op_definition
class CopyOp(IRDLOperation):
    """
    Copies `elements` consecutive elements, 1, 2 or 4, at once; both places are aligned to their size.

    Example: `block.copy 4 %tile[%k, %m], %fragment[%z] : memref<32x64xf32, "shared">, memref<8xf32, "thread">`
    """

    name = "block.copy"
    elements_ = prop_def(IntegerAttr.constr(i64), prop_name="elements")
    source = operand_def(MemRefType)
    source_indices = var_operand_def(IndexType())
    target = operand_def(MemRefType)
    target_indices = var_operand_def(IndexType())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$elements $source `[` $source_indices `]` `,` $target `[` $target_indices `]` attr-dict "
        "`:` type($source) `,` type($target)"
    )

    def __init__(
        self,
        elements: int,
        source: SSAValue | Operation,
        source_indices: Sequence[SSAValue | Operation],
        target: SSAValue | Operation,
        target_indices: Sequence[SSAValue | Operation],
    ) -> None:
        super().__init__(
            operands=[source, list(source_indices), target, list(target_indices)],
            properties={"elements": integer(elements)},
        )

    @property
    def elements(self) -> int:
        return self.elements_.value.data

    def verify_(self) -> None:
        _verify_copy(self.elements, self.source, self.source_indices, self.target, self.target_indices)


@irdl_op_definition
class CopyAsyncOp(IRDLOperation):
    """
    Starts a copy of 1 or 4 consecutive elements into shared memory; where the predicate is false the target gets zeros
    and nothing is read. Done once `block.wait_copies` says so, for the thread that started it.

    Example:
    `block.copy_async 1 %x[%address], %tile[%k, %m] if %inside : memref<?xf32, "global">, memref<32x64xf32, "shared">`
    """

    name = "block.copy_async"
    elements_ = prop_def(IntegerAttr.constr(i64), prop_name="elements")
    source = operand_def(MemRefType)
    source_indices = var_operand_def(IndexType())
    target = operand_def(MemRefType)
    target_indices = var_operand_def(IndexType())
    predicate = opt_operand_def(i1)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$elements $source `[` $source_indices `]` `,` $target `[` $target_indices `]` (`if` $predicate^)? attr-dict "
        "`:` type($source) `,` type($target)"
    )

    def __init__(
        self,
        elements: int,
        source: SSAValue | Operation,
        source_indices: Sequence[SSAValue | Operation],
        target: SSAValue | Operation,
        target_indices: Sequence[SSAValue | Operation],
        predicate: SSAValue | Operation | None = None,
    ) -> None:
        super().__init__(
            operands=[source, list(source_indices), target, list(target_indices), predicate],
            properties={"elements": integer(elements)},
        )

    @property
    def elements(self) -> int:
        return self.elements_.value.data

    def verify_(self) -> None:
        _verify_copy(self.elements, self.source, self.source_indices, self.target, self.target_indices)
        if self.elements == 2:
            raise VerifyException("1 or 4 elements are copied asynchronously, not 2")
        if memory_space(self.source) not in (MemorySpace.GLOBAL, MemorySpace.WEIGHTS):
            raise VerifyException("an asynchronous copy comes from global memory")
        if memory_space(self.target) is not MemorySpace.SHARED:
            raise VerifyException("an asynchronous copy goes to shared memory")
        verify_compute_role(self)


def _verify_copy(
    elements: int,
    source: SSAValue,
    source_indices: Sequence[SSAValue],
    target: SSAValue,
    target_indices: Sequence[SSAValue],
) -> None:
    if elements not in (1, 2, 4):
        raise VerifyException(f"1, 2 or 4 elements are copied at once, not {elements}")
    for value, indices in ((source, source_indices), (target, target_indices)):
        memref = memref_type(value)
        if not indices or len(indices) != memref.get_num_dims():
            raise VerifyException(f"{len(indices)} indices for {memref}")
        if elements > 1 and 0 <= memref.get_shape()[-1] < elements:
            raise VerifyException(f"{elements} neighbours do not fit into the rows of {memref}")
    types = [memref_type(value).element_type for value in (source, target)]
    if types[0] != types[1]:
        raise VerifyException(f"a copy does not convert {types[0]} to {types[1]}")


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
class WaitCopiesOp(IRDLOperation):
    """
    Waits until at most `pending` groups of each thread's asynchronous copies are unfinished. A barrier must follow
    before other threads read what was copied. Stands outside parallel loops.

    Example: `block.wait_copies 1`
    """

    name = "block.wait_copies"
    pending_ = prop_def(IntegerAttr.constr(i64), prop_name="pending")
    assembly_format = "$pending attr-dict"

    def __init__(self, pending: int) -> None:
        super().__init__(properties={"pending": integer(pending)})

    @property
    def pending(self) -> int:
        return self.pending_.value.data

    def verify_(self) -> None:
        if self.pending < 0:
            raise VerifyException(f"the number of pending groups must not be negative, got {self.pending}")
        verify_met_by_all_threads(self)
