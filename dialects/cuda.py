"""
The `cuda` dialect: what a thread of the compute role does to compute one rTask on a CUDA device.

It holds only what the host lacks; everything else is arith, math, memref and scf, and the weight ring's ops of the
`block` dialect, which both targets print. Threads and warps count from 0 within the compute role, and barriers are
barriers of that role. The memory space of an array says how it is read: "global" through L2, "weights" without
coherence, "words" by polling.
"""

from typing import ClassVar, Self, cast

from xdsl.dialects.builtin import (
    BFloat16Type,
    Float16Type,
    Float32Type,
    Float64Type,
    IndexType,
    IntegerAttr,
    IntegerType,
    StringAttr,
    SymbolNameConstraint,
    UnitAttr,
    i64,
)
from xdsl.ir import Attribute, Dialect, Operation, Region, SSAValue
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, IsolatedFromAbove, IsTerminator, Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.assembly import parse_attribute_dictionary
from rammer_ir.dialects.block_memory import MemorySpace, memory_space, memref_type
from rammer_ir.dialects.copy_operands import AsyncCopyOperands, CopyOperands, PendingCopies
from rammer_ir.dialects.integers import integer
from rammer_ir.dialects.mma_operands import MmaOperands, Tf32Rounding
from rammer_ir.dialects.nesting import enclosing_op

WARP_THREADS = 32
"""Threads of a warp."""


def _bits(kind: Attribute) -> int:
    """Bits of a number's type, 0 for other types."""
    if isinstance(kind, Float16Type | BFloat16Type | Float32Type | Float64Type):
        return kind.bitwidth
    return cast("IntegerType[int]", kind).width.data if isinstance(kind, IntegerType) else 0


@irdl_op_definition
class FuncOp(IRDLOperation):
    """
    A device function that computes one task: what each of `threads` threads of the compute role executes.

    It takes the linear task index, the loop index, the operands and the parameters, as the `block.body` it comes from.
    `scratch` is the shared memory it needs, in bytes. A `service` function is executed by a warp of the service role
    ahead of time; it pushes the task's weights into the ring.

    Example:
    ```mlir
    cuda.func @double threads 128 scratch 0 {
    ^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %n: index):
      %i = cuda.thread_index
      %p = memref.load %x[%i] : memref<?xf32, "global">
      %q = arith.addf %p, %p : f32
      memref.store %q, %y[%i] : memref<?xf32, "global">
      cuda.return
    }
    ```
    """

    name = "cuda.func"
    sym_name = prop_def(SymbolNameConstraint())
    threads_ = prop_def(IntegerAttr.constr(i64), prop_name="threads")
    scratch_bytes_ = prop_def(IntegerAttr.constr(i64), prop_name="scratch_bytes")
    service = opt_prop_def(UnitAttr)
    body = region_def("single_block")
    traits = traits_def(SymbolOpInterface(), IsolatedFromAbove())

    def __init__(self, name: str, threads: int, scratch_bytes: int, body: Region, *, service: bool = False) -> None:
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "threads": integer(threads),
                "scratch_bytes": integer(scratch_bytes),
                "service": UnitAttr() if service else None,
            },
            regions=[body],
        )

    @property
    def threads(self) -> int:
        """Threads of the compute role."""
        return self.threads_.value.data

    @property
    def scratch_bytes(self) -> int:
        return self.scratch_bytes_.value.data

    def verify_(self) -> None:
        if self.threads < 1:
            raise VerifyException(f"a function needs at least one thread, got {self.threads}")
        if self.scratch_bytes < 0:
            raise VerifyException(f"scratch memory must not be negative, got {self.scratch_bytes}")
        if [argument.type for argument in self.body.block.args[:2]] != [IndexType(), IndexType()]:
            raise VerifyException("a function takes the task index and the loop index first")
        if not isinstance(self.body.block.last_op, ReturnOp):
            raise VerifyException("a function must end with cuda.return")

    def print(self, printer: Printer) -> None:
        printer.print_string(" service " if self.service is not None else " ")
        printer.print_symbol_name(self.sym_name.data)
        printer.print_string(f" threads {self.threads} scratch {self.scratch_bytes}")
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        service = parser.parse_optional_keyword("service") is not None
        name = parser.parse_symbol_name().data
        parser.parse_keyword("threads")
        threads = parser.parse_integer()
        parser.parse_keyword("scratch")
        scratch_bytes = parser.parse_integer()
        attributes = parse_attribute_dictionary(parser)
        op = cls(name, threads, scratch_bytes, parser.parse_region(), service=service)
        op.attributes = attributes
        return op


@irdl_op_definition
class ReturnOp(IRDLOperation):
    """
    Ends a device function.

    Example: `cuda.return`
    """

    name = "cuda.return"
    traits = traits_def(IsTerminator(), HasParent(FuncOp))
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()


def _verify_compute_role(op: Operation) -> None:
    function = enclosing_op(op, FuncOp)
    if function is not None and function.service is not None:
        raise VerifyException("the service role has no threads, warps and barriers of the compute role")


@irdl_op_definition
class ThreadIndexOp(IRDLOperation):
    """
    This thread's number in the compute role.

    Example: `%thread = cuda.thread_index`
    """

    name = "cuda.thread_index"
    result = result_def(IndexType())
    traits = traits_def(Pure())
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__(result_types=[IndexType()])

    def verify_(self) -> None:
        _verify_compute_role(self)


@irdl_op_definition
class WarpIndexOp(IRDLOperation):
    """
    The number of this thread's warp in the compute role.

    Example: `%warp = cuda.warp_index`
    """

    name = "cuda.warp_index"
    result = result_def(IndexType())
    traits = traits_def(Pure())
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__(result_types=[IndexType()])

    def verify_(self) -> None:
        _verify_compute_role(self)


@irdl_op_definition
class LaneIndexOp(IRDLOperation):
    """
    This thread's number in its warp.

    Example: `%lane = cuda.lane_index`
    """

    name = "cuda.lane_index"
    result = result_def(IndexType())
    traits = traits_def(Pure())
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__(result_types=[IndexType()])

    def verify_(self) -> None:
        _verify_compute_role(self)


@irdl_op_definition
class BarrierOp(IRDLOperation):
    """
    All threads of the compute role meet (`bar.sync id, n`, not `__syncthreads`): what they wrote before is seen after.

    Example: `cuda.barrier`
    """

    name = "cuda.barrier"
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()

    def verify_(self) -> None:
        _verify_compute_role(self)


@irdl_op_definition
class WarpBarrierOp(IRDLOperation):
    """
    The threads of a warp meet: what they wrote before is seen by them after.

    Example: `cuda.warp_barrier`
    """

    name = "cuda.warp_barrier"
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()

    def verify_(self) -> None:
        _verify_compute_role(self)


@irdl_op_definition
class ShuffleOp(IRDLOperation):
    """
    The value that the lane whose number differs by `lane_mask` (exclusive or) has. All lanes of a warp take part.

    Example: `%other = cuda.shuffle xor 16 %value : f32`
    """

    name = "cuda.shuffle"
    lane_mask_ = prop_def(IntegerAttr.constr(i64), prop_name="lane_mask")
    T: ClassVar = VarConstraint("T", AnyAttr())
    value = operand_def(T)
    result = result_def(T)
    assembly_format = "`xor` $lane_mask $value attr-dict `:` type($result)"

    def __init__(self, value: SSAValue | Operation, lane_mask: int) -> None:
        super().__init__(
            operands=[value],
            properties={"lane_mask": integer(lane_mask)},
            result_types=[SSAValue.get(value).type],
        )

    @property
    def lane_mask(self) -> int:
        return self.lane_mask_.value.data

    def verify_(self) -> None:
        _verify_compute_role(self)
        if not isinstance(self.result.type, IndexType) and _bits(self.result.type) not in (1, 8, 16, 32, 64):
            raise VerifyException(f"values of 1 to 64 bits are shuffled, not {self.result.type}")
        if not 0 < self.lane_mask < WARP_THREADS:
            raise VerifyException(f"lanes differ by 1 to {WARP_THREADS - 1}, not by {self.lane_mask}")


@irdl_op_definition
class CopyOp(CopyOperands):
    """
    Copies 2 or 4 consecutive elements with one load and one store of that width; both places are aligned to it.

    Example: `cuda.copy 4 %tile[%k, %m], %fragment[%z] : memref<32x64xf32, "shared">, memref<8xf32, "thread">`
    """

    name = "cuda.copy"

    def verify_(self) -> None:
        if self.elements not in (2, 4):
            raise VerifyException(f"2 or 4 elements are copied at once, not {self.elements}")
        self.verify_places()
        if MemorySpace.WORDS in (memory_space(self.source), memory_space(self.target)):
            raise VerifyException("words are loaded and stored one by one")


@irdl_op_definition
class CopyAsyncOp(AsyncCopyOperands):
    """
    Starts a copy of 4 or 16 bytes from global to shared memory (`cp.async`); zeros where the predicate is false.

    Example:
    `cuda.copy_async 1 %x[%i], %tile[%k, %m] if %inside : memref<?xf32, "global">, memref<32x64xf32, "shared">`
    """

    name = "cuda.copy_async"

    @property
    def size(self) -> int:
        """Bytes copied."""
        return self.elements * _bits(memref_type(self.source).element_type) // 8

    def verify_(self) -> None:
        self.verify_places()
        if self.size not in (4, 16):
            raise VerifyException(f"an asynchronous copy is 4 or 16 bytes, not {self.size}")
        self.verify_memories()


@irdl_op_definition
class CommitCopiesOp(IRDLOperation):
    """
    Makes a group of the asynchronous copies that this thread has started since the last one.

    Example: `cuda.commit_copies`
    """

    name = "cuda.commit_copies"
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()


@irdl_op_definition
class WaitCopiesOp(PendingCopies):
    """
    Waits until at most `pending` groups of this thread's asynchronous copies are unfinished.

    Example: `cuda.wait_copies 1`
    """

    name = "cuda.wait_copies"

    def verify_(self) -> None:
        self.verify_pending()


@irdl_op_definition
class RoundTf32Op(Tf32Rounding):
    """
    The nearest tf32 number (`cvt.rna.tf32.f32`).

    Example: `%factor = cuda.round_tf32 %x`
    """

    name = "cuda.round_tf32"


@irdl_op_definition
class MmaOp(MmaOperands):
    """
    Adds the product of two matrices to sums, which the lanes of a warp hold as `block.mma` says (`mma.sync`).

    Example: `%s0, %s1, %s2, %s3 = cuda.mma tf32 [%x0, %x1, %x2, %x3] [%w0, %w1] [%r0, %r1, %r2, %r3]`
    """

    name = "cuda.mma"

    def verify_(self) -> None:
        self.verify_operands()
        _verify_compute_role(self)


Cuda = Dialect(
    "cuda",
    [
        FuncOp,
        ReturnOp,
        ThreadIndexOp,
        WarpIndexOp,
        LaneIndexOp,
        BarrierOp,
        WarpBarrierOp,
        ShuffleOp,
        RoundTf32Op,
        MmaOp,
        CopyOp,
        CopyAsyncOp,
        CommitCopiesOp,
        WaitCopiesOp,
    ],
)
