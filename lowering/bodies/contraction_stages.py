"""What both ways of staging a contraction's X in shared memory have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, cast

from xdsl.dialects.builtin import TensorType, f32, i32
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.block import CopyOp, MemorySpace
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.indexing.sums import additive_terms, sum_of
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.contraction_epilogue import ContractionEpilogue
from rammer_ir.lowering.bodies.contraction_shape import ContractionShape, ShapeT
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.tap_table import FIELDS, x_parts


@dataclass
class StagedInput(ABC, Generic[ShapeT]):
    """
    Chunks of X in shared memory, a few ahead of what is computed: how threads copy them there.

    `symbols` are the task's coordinates and loop index.
    """

    view: KernelView
    roles: ContractionAttr
    shape: ShapeT
    builder: BodyBuilder
    symbols: Sequence[SSAValue]
    epilogue: ContractionEpilogue

    def __post_init__(self) -> None:
        generic = self.view.generics[0]
        write = self.builder.write
        extents = cast("TensorType[Attribute]", generic.inputs[self.roles.x].type).get_shape()
        self.parts = x_parts(self.view, self.roles)
        self.chunks = self.builder.parameter(self.roles.chunks)
        self.checked_extents = [self.builder.parameter(extents[dim]) for dim in self.roles.checked]
        self.stages = write.allocate([self.shape.stages, *self.stage_shape], f32, MemorySpace.SHARED)
        self.known = write.allocate([self.places, 1 + len(self.parts)], i32, MemorySpace.THREAD)

    @property
    @abstractmethod
    def stage_shape(self) -> Sequence[int]:
        """The shape of a chunk in shared memory."""

    @property
    @abstractmethod
    def places(self) -> int:
        """Of how many indices of M a thread copies elements."""

    @abstractmethod
    def describe(self, thread: SSAValue) -> None:
        """Stores what a thread knows of the indices of M whose elements it copies."""

    @abstractmethod
    def copy_first(self, thread: SSAValue, number: int) -> None:
        """Starts a thread's copies of one of the first chunks."""

    @abstractmethod
    def copy_next(self, thread: SSAValue, chunk: SSAValue) -> None:
        """Starts a thread's copies of a later chunk; they come in order. Past the last chunk nothing is read."""

    def describe_place(self, position: SSAValue, column: SSAValue) -> None:
        """Stores the address and the checked indices of an index of M at tap 0, and whether its results are written."""
        write = self.builder.write
        loops = self._loops_of(column)
        exists = write.all_of(self.epilogue.column_conditions(column, loops))
        values = [self._of_m(part, loops) for part in self.parts]
        for field, value in enumerate([*values, write.select(exists, write.index(1), write.index(0))]):
            write.store(write.as_i32(value), self.known, position, write.index(field))

    def recall_place(self, position: SSAValue) -> tuple[list[SSAValue], SSAValue]:
        """What was stored: the address and the checked indices, and the condition."""
        write = self.builder.write
        *values, exists = (
            write.as_index(write.load(self.known, position, write.index(field))) for field in range(1 + len(self.parts))
        )
        return values, write.less(write.index(0), exists)

    def tap(self, entry: SSAValue, exists: SSAValue) -> list[SSAValue]:
        """An entry of the table: offset in X, offsets of the checked indices, number of rows; entry 0 past the end."""
        write = self.builder.write
        fields = write.allocate([FIELDS], i32, MemorySpace.THREAD)
        self.load_tap(fields, write.select(exists, entry, write.index(0)))
        return [write.as_index(write.load(fields, write.index(field))) for field in range(FIELDS)]

    def load_tap(self, fields: SSAValue, entry: SSAValue) -> None:
        """Copies an entry of the table into an array."""
        write = self.builder.write
        table = self.builder.operand(len(self.view.kernel.reads))
        address = write.times(entry, write.index(FIELDS))
        write.add(CopyOp(FIELDS, table, [address], fields, [write.index(0)]))

    def checks(self, parts: Sequence[SSAValue], tap: Sequence[SSAValue]) -> list[SSAValue]:
        """Conditions for a tap to lie in X, in the dimensions that may be left."""
        write = self.builder.write
        return [
            write.in_range(write.plus(part, offset), extent)
            for part, offset, extent in zip(parts[1:], tap[1:], self.checked_extents, strict=False)
        ]

    @property
    def operand(self) -> SSAValue:
        """X itself."""
        number = self.view.read_number(self.view.generics[0].inputs[self.roles.x])
        assert number is not None, "a contraction reads operands of its kernel"
        return self.builder.operand(number)

    def _loops_of(self, column: SSAValue) -> list[SSAValue]:
        """Indices of the first generic's loops for an index of M in the block; all others 0."""
        generic = self.view.generics[0]
        write = self.builder.write
        loops: list[SSAValue] = [write.index(0)] * len(generic.bounds)
        extents = self.epilogue.extents_m
        for dim, index in zip(self.roles.m, write.decode_small(column, extents), strict=True):
            loops[dim] = index
        return loops

    def _of_m(self, expression: AffineExpr, loops: Sequence[SSAValue]) -> SSAValue:
        """The terms that do not depend on the reduced loops."""
        reduced = set(self.roles.k)
        terms = [term for term in additive_terms(expression) if not term.used_dims() & reduced]
        return self.builder.index(sum_of(terms), loops, self.symbols, self.view.ranges(self.view.generics[0]))


class ThreadStaging(StagedInput[ContractionShape]):
    """How threads that compute rows and columns of their own read the chunks."""

    @property
    @abstractmethod
    def fragment_shape(self) -> Sequence[int]:
        """The shape of the array of what a thread has read of a chunk."""

    @abstractmethod
    def read_first(self, fragment: SSAValue, place: Sequence[SSAValue], at_m: SSAValue) -> None:
        """Reads a thread's elements of row 0; `place` is the stage and the first row of the thread's slice."""

    @abstractmethod
    def read_ahead(
        self, fragment: SSAValue, place: Sequence[SSAValue], at_m: SSAValue, pair: SSAValue, row: int
    ) -> None:
        """Reads elements of later rows, while row 0 or 1 of a pair is being multiplied."""

    @abstractmethod
    def element(self, fragment: SSAValue, pair: SSAValue, row: int, number: SSAValue) -> SSAValue:
        """The thread's element `number` of row 0 or 1 of a pair that has been read."""

    @abstractmethod
    def place_m(self, at_m: SSAValue, number: SSAValue) -> SSAValue:
        """The index of M in the block of a thread's row `number`."""
