"""Where the shared arrays of a body lie in the scratch memory of its task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from xdsl.dialects import memref
from xdsl.dialects.builtin import IntegerAttr, MemRefType, i64
from xdsl.ir import Block, Operation, SSAValue

from rammer_ir.dialects import block
from rammer_ir.dialects.block import MemorySpace, memory_space
from rammer_ir.errors import CompileError
from rammer_ir.locations import describe_op
from rammer_ir.lowering.element_types import array_bytes

SCRATCH_ALIGNMENT: Final = 16
"""Bytes to which shared arrays are aligned: the widest load."""

OFFSET_ATTRIBUTE: Final = "block.offset"
"""Attribute of a `memref.alloca` of shared memory: bytes from the start of the task's scratch memory."""


@dataclass(frozen=True)
class _SharedArray:
    """A shared array of `size` bytes, in use in the phases `first` to `last`; a barrier parts two phases."""

    op: memref.AllocaOp
    size: int
    first: int
    last: int

    def meets(self, other: "_SharedArray") -> bool:
        return self.first <= other.last and other.first <= self.last


def scratch_bytes(body: block.BodyOp) -> int:
    """Bytes of scratch memory that a task of the body needs; raises CompileError for arrays of unknown size."""
    return _extent(_placed(body))


def place_scratch(body: block.BodyOp) -> int:
    """
    Give every shared array of the body its offset in scratch memory, as an attribute; the bytes they take.

    Arrays share memory where a barrier outside of loops stands between the last use of one and the first of the
    other. Raises CompileError for arrays of unknown size.
    """
    placed = _placed(body)
    for array, offset in placed:
        array.op.attributes[OFFSET_ATTRIBUTE] = IntegerAttr(offset, i64)
    return _extent(placed)


def _extent(placed: Sequence[tuple[_SharedArray, int]]) -> int:
    return max((offset + array.size for array, offset in placed), default=0)


def _placed(body: block.BodyOp) -> list[tuple[_SharedArray, int]]:
    """Arrays with their offsets: the largest first, each at the first place that is free while it is in use."""
    placed: list[tuple[_SharedArray, int]] = []
    for array in sorted(_shared_arrays(body), key=lambda array: -array.size):
        offset = 0
        taken = sorted((start, start + other.size) for other, start in placed if other.meets(array))
        for start, end in taken:
            if offset + array.size <= start:
                break
            offset = max(offset, _aligned(end))
        placed.append((array, offset))
    return placed


def _aligned(value: int) -> int:
    return -(-value // SCRATCH_ALIGNMENT) * SCRATCH_ALIGNMENT


def _shared_arrays(body: block.BodyOp) -> Iterator[_SharedArray]:
    compute = body.compute.block
    phases = _phases(compute)
    last_phase = max(phases.values())
    for op in compute.walk():
        if not isinstance(op, memref.AllocaOp) or memory_space(op.memref) is not MemorySpace.SHARED:
            continue
        try:
            size = array_bytes(op.memref.type)
        except CompileError as error:
            error.location = error.location or describe_op(op)
            raise
        yield _SharedArray(op, size, *_lifetime(op.memref, compute, phases, last_phase))


def _phases(compute: Block) -> dict[Operation, int]:
    """For each op outside of loops, how many barriers stand before it."""
    phases: dict[Operation, int] = {}
    phase = 0
    for op in compute.ops:
        phases[op] = phase
        if isinstance(op, block.BarrierOp):
            phase += 1
    return phases


def _lifetime(array: SSAValue, compute: Block, phases: dict[Operation, int], last_phase: int) -> tuple[int, int]:
    """The first and the last phase in which an array is in use."""
    used: list[int] = []
    for use in array.uses:
        outermost = compute.find_ancestor_op_in_block(use.operation)
        if outermost is None or any(isinstance(result.type, MemRefType) for result in use.operation.results):
            return 0, last_phase
        used.append(phases[outermost])
        if isinstance(use.operation, block.CopyAsyncOp) and use.operation.target is array:
            used.append(_arrival(outermost, phases, last_phase))
    return min(used, default=0), max(used, default=0)


def _arrival(copy: Operation, phases: dict[Operation, int], last_phase: int) -> int:
    """The phase in which an asynchronous copy is certain to be done."""
    op = copy.next_op
    while op is not None:
        if isinstance(op, block.WaitCopiesOp) and op.pending == 0:
            return phases[op]
        op = op.next_op
    return last_phase
