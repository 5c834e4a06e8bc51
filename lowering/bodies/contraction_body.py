"""The block-form code of a contraction: see `convert-contraction-to-block` for its plan."""

from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from math import prod
from typing import Generic

from xdsl.dialects.builtin import FloatAttr, MemRefType, NoneAttr, StringAttr, f32
from xdsl.ir import Attribute, SSAValue

from rammer_ir.dialects.block import (
    BarrierOp,
    BodyOp,
    CommitCopiesOp,
    Level,
    MemorySpace,
    RingPushOp,
    RingReleaseOp,
    RingWaitOp,
    WaitCopiesOp,
)
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.contraction_shape import ShapeT
from rammer_ir.lowering.bodies.contraction_stages import StagedInput
from rammer_ir.lowering.bodies.kernel_view import KernelView

STAGES = 3
"""Chunks of X in shared memory: one being computed on, the others on their way."""


class ContractionBody(ABC, Generic[ShapeT]):
    """
    Writes the body of one contraction kernel. Its operands: tensors read, the table of taps, tensors written.

    How the threads share the products of a chunk, and hold the sums, is a subclass's.
    """

    def __init__(
        self, view: KernelView, roles: ContractionAttr, builder: BodyBuilder, staged: StagedInput[ShapeT]
    ) -> None:
        self.view = view
        self.builder = builder
        self.generic = view.generics[0]
        self.roles = roles
        self.staged = staged
        self.epilogue = staged.epilogue
        self.shape = staged.shape

    @property
    @abstractmethod
    def sums_shape(self) -> list[int]:
        """The shape of the array of sums that a thread holds."""

    @abstractmethod
    def multiply(self, weights: SSAValue, chunk: SSAValue) -> None:
        """Adds the products of one chunk, and starts the copies of a later one."""

    @abstractmethod
    def store_partial(self, partial: SSAValue) -> None:
        """Leaves each thread's sums in shared memory, in the order in which results are written."""

    @property
    @abstractmethod
    def chunk_shape(self) -> list[int]:
        """The shape of a chunk of W in the ring."""

    def build(self) -> BodyOp:
        write = self.builder.write
        partial = write.allocate(self.epilogue.partial_shape, f32, MemorySpace.SHARED)
        self.sums = write.allocate(self.sums_shape, f32, MemorySpace.THREAD)
        self._start()
        with write.loop(write.index(0), self.staged.chunks) as chunk:
            weights = write.add(RingWaitOp(self._slot_type())).chunk
            write.add(WaitCopiesOp(self.shape.stages - 2))
            write.add(BarrierOp())
            self.multiply(weights, chunk)
            write.add(CommitCopiesOp())
            write.add(RingReleaseOp())
        write.add(WaitCopiesOp(0))
        # Behind this barrier the partial sums may lie where the chunks were.
        write.add(BarrierOp())
        self.store_partial(partial)
        write.add(BarrierOp())
        self.epilogue.write(partial)
        self._write_service()
        return self.builder.finish("contraction")

    def _slot_type(self) -> MemRefType[Attribute]:
        return MemRefType(f32, self.chunk_shape, NoneAttr(), StringAttr(MemorySpace.SHARED.value))

    @contextmanager
    def threads(self) -> Generator[SSAValue]:
        """A loop over the threads of the compute role."""
        write = self.builder.write
        with write.parallel(Level.THREAD, write.index(self.shape.threads)) as thread:
            yield thread

    def _start(self) -> None:
        """What each thread knows of its part of X, sums of zero, and the first chunks' copies."""
        write = self.builder.write
        with self.threads() as thread:
            self.staged.describe(thread)
            zero = write.constant(FloatAttr(0.0, f32))
            with write.unrolled(*self.sums_shape) as indices:
                write.store(zero, self.sums, *indices)
        for number in range(self.shape.stages - 1):
            with self.threads() as thread:
                self.staged.copy_first(thread, number)
            write.add(CommitCopiesOp())

    def _operand_of(self, position: int) -> int:
        number = self.view.read_number(self.generic.inputs[position])
        assert number is not None, "a contraction reads operands of its kernel"
        return number

    def _write_service(self) -> None:
        """The service role pushes the task's chunks of W, which follow one another in the packed weight."""
        with self.builder.in_service():
            write = self.builder.write
            symbols = task_symbols(self.builder, self.view)
            chunks = self.builder.parameter(self.roles.chunks)
            size = write.index(prod(self.chunk_shape))
            first = self.builder.index(
                self.view.start_address(self.generic, self.roles.w), [], symbols, ([], self.view.symbol_ranges)
            )
            weights = self.builder.operand(self._operand_of(self.roles.w))
            with write.loop(write.index(0), chunks) as chunk:
                address = write.plus(first, write.times(chunk, size))
                write.add(RingPushOp(prod(self.chunk_shape), weights, address))


def task_symbols(builder: BodyBuilder, view: KernelView) -> list[SSAValue]:
    """The task's coordinates, then the loop index once for each loop around."""
    return [*builder.coordinates(view.kernel.grid), *([builder.iteration] * view.kernel.loops)]
