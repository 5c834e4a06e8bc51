"""What copies of the dialects `block` and `cuda` have in common: operands, text, and what both verify."""

from collections.abc import Sequence

from xdsl.dialects.builtin import IndexType, IntegerAttr, MemRefType, i1, i64
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    operand_def,
    opt_operand_def,
    prop_def,
    var_operand_def,
)
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.block_memory import MemorySpace, memory_space, memref_type
from rammer_ir.dialects.integers import integer


class CopyOperands(IRDLOperation):
    """Of a copy of consecutive elements: how many, from where, and to where."""

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
        *further: SSAValue | Operation | None,
    ) -> None:
        super().__init__(
            operands=[source, list(source_indices), target, list(target_indices), *further],
            properties={"elements": integer(elements)},
        )

    @property
    def elements(self) -> int:
        return self.elements_.value.data

    def verify_places(self) -> None:
        """Raise VerifyException unless there is an index for each dimension, and both places have one element type."""
        for value, indices in ((self.source, self.source_indices), (self.target, self.target_indices)):
            memref = memref_type(value)
            if len(indices) != memref.get_num_dims():
                raise VerifyException(f"{len(indices)} indices for {memref}")
        types = [memref_type(value).element_type for value in (self.source, self.target)]
        if types[0] != types[1]:
            raise VerifyException(f"a copy does not convert {types[0]} to {types[1]}")


class _Predicated(IRDLOperation):
    """A base of its own: its operand comes behind those of the bases before it."""

    predicate = opt_operand_def(i1)


class AsyncCopyOperands(CopyOperands, _Predicated):
    """Of a copy into shared memory that is done later; where the predicate is false, the target gets zeros."""

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
        super().__init__(elements, source, source_indices, target, target_indices, predicate)

    def verify_memories(self) -> None:
        """Raise VerifyException unless the copy goes from global to shared memory."""
        if memory_space(self.source) not in (MemorySpace.GLOBAL, MemorySpace.WEIGHTS):
            raise VerifyException("an asynchronous copy comes from global memory")
        if memory_space(self.target) is not MemorySpace.SHARED:
            raise VerifyException("an asynchronous copy goes to shared memory")


class PendingCopies(IRDLOperation):
    """Of a wait for asynchronous copies: how many of their groups may be unfinished behind it."""

    pending_ = prop_def(IntegerAttr.constr(i64), prop_name="pending")
    assembly_format = "$pending attr-dict"

    def __init__(self, pending: int) -> None:
        super().__init__(properties={"pending": integer(pending)})

    @property
    def pending(self) -> int:
        return self.pending_.value.data

    def verify_pending(self) -> None:
        """Raise VerifyException for a negative number."""
        if self.pending < 0:
            raise VerifyException(f"the number of pending groups must not be negative, got {self.pending}")
