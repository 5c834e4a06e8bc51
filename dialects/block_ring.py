"""The weight ring: pushed by the service role, taken by the compute role."""

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    IndexType,
    IntegerAttr,
    MemRefType,
    i64,
)
from xdsl.ir import (
    Attribute,
    Operation,
    SSAValue,
)
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
)
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.block_memory import MemorySpace, memory_space, memref_type
from rammer_ir.dialects.block_structure import BodyOp, is_in_service, verify_met_by_all_threads
from rammer_ir.dialects.integers import integer
from rammer_ir.dialects.nesting import enclosing_op


@irdl_op_definition
class RingPushOp(IRDLOperation):
    """
    Service role: brings `elements` consecutive weights, a chunk, into the next free slot of the vEU's weight ring.

    Example: `block.ring_push 2048 %weights[%address] : memref<?xf32, "weights">`
    """

    name = "block.ring_push"
    elements_ = prop_def(IntegerAttr.constr(i64), prop_name="elements")
    weights = operand_def(MemRefType)
    address = operand_def(IndexType())
    assembly_format = "$elements $weights `[` $address `]` attr-dict `:` type($weights)"

    def __init__(self, elements: int, weights: SSAValue | Operation, address: SSAValue | Operation) -> None:
        super().__init__(operands=[weights, address], properties={"elements": integer(elements)})

    @property
    def elements(self) -> int:
        return self.elements_.value.data

    def verify_(self) -> None:
        if memory_space(self.weights) is not MemorySpace.WEIGHTS:
            raise VerifyException("only weights go through the ring: nothing else is there ahead of all waits")
        if self.elements < 1:
            raise VerifyException(f"a chunk has at least one element, got {self.elements}")
        if memref_type(self.weights).get_num_dims() != 1:
            raise VerifyException(f"weights have one address each, not {memref_type(self.weights)}")
        if enclosing_op(self, BodyOp) is not None and not is_in_service(self):
            raise VerifyException("block.ring_push stands outside a service region")


@irdl_op_definition
class RingWaitOp(IRDLOperation):
    """
    Compute role: waits for the next chunk of the weight ring and gives its slot. Stands outside parallel loops.

    Example: `%chunk = block.ring_wait : memref<32x64xf32, "shared">`
    """

    name = "block.ring_wait"
    chunk = result_def(MemRefType)
    assembly_format = "attr-dict `:` type($chunk)"

    def __init__(self, chunk: Attribute) -> None:
        super().__init__(result_types=[chunk])

    def verify_(self) -> None:
        if memory_space(self.chunk) is not MemorySpace.SHARED:
            raise VerifyException("a slot of the ring lies in shared memory")
        if DYNAMIC_INDEX in memref_type(self.chunk).get_shape():
            raise VerifyException("a chunk of the ring has a static shape")
        verify_met_by_all_threads(self)


@irdl_op_definition
class RingReleaseOp(IRDLOperation):
    """
    Compute role: the oldest chunk waited for is not read any more; its slot may be filled again.

    Example: `block.ring_release`
    """

    name = "block.ring_release"
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()

    def verify_(self) -> None:
        verify_met_by_all_threads(self)
