"""Copies of X to shared memory as [m, k]: what a chunk takes of an index of M lies in one piece, 16 bytes at a time."""

from collections.abc import Sequence
from typing import ClassVar

from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from rammer_ir.dialects.block import CopyAsyncOp, MemorySpace
from rammer_ir.lowering.bodies.contraction_shape import PIECE, BlockShape, ShapeT
from rammer_ir.lowering.bodies.contraction_stages import StagedInput
from rammer_ir.lowering.bodies.tap_table import FIELDS, TapTable


class RowCopies(StagedInput[ShapeT]):
    """
    Neighbouring threads copy neighbouring pieces of an index of M, then the next ones.

    For X whose channels are neighbours in memory. Rows in shared memory are padded, so that what the threads of a warp
    read lies in different banks.
    """

    padding: ClassVar[int]
    """Elements."""

    @staticmethod
    def fits(shape: BlockShape) -> bool:
        """Whether the threads share the copies of a chunk evenly."""
        return shape.threads % (shape.block_k // PIECE) == 0

    @property
    def copied_rows(self) -> int:
        """Indices of M that are copied at the same time."""
        return self.shape.threads // (self.shape.block_k // PIECE)

    @property
    def places(self) -> int:
        return -(-self.shape.block_m // self.copied_rows)

    @property
    def stage_shape(self) -> Sequence[int]:
        return [self.places * self.copied_rows, self.shape.block_k + self.padding]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.next_tap = self.builder.write.allocate([FIELDS], i32, MemorySpace.THREAD)

    def describe(self, thread: SSAValue) -> None:
        # The first entries of the table are parameters, and later ones are on their way before they are needed: no copy
        # waits for its entry.
        write = self.builder.write
        self.first_taps = [self._tap_parameters(number) for number in range(self.shape.stages)]
        for field, value in enumerate(self.first_taps[-1]):
            write.store(write.as_i32(value), self.next_tap, write.index(field))
        with write.loop(write.index(0), write.index(self.places), unroll=True) as place:
            self.describe_place(place, self._row(thread, place))

    def _tap_parameters(self, number: int) -> list[SSAValue]:
        table = TapTable.of(self.view, self.roles, self.shape.block_k)
        known = number if number < table.entries else 0
        return [self.builder.parameter(field.eval([known], [])) for field in table.fields]

    def _row(self, thread: SSAValue, place: SSAValue) -> SSAValue:
        write = self.builder.write
        first = write.divide(thread, write.index(self.shape.block_k // PIECE))
        return write.plus(first, write.times(place, write.index(self.copied_rows)))

    def copy_first(self, thread: SSAValue, number: int) -> None:
        self._copy(thread, self.builder.write.index(number), self.first_taps[number])

    def copy_next(self, thread: SSAValue, chunk: SSAValue) -> None:
        write = self.builder.write
        tap = [write.as_index(write.load(self.next_tap, write.index(field))) for field in range(FIELDS)]
        self._copy(thread, chunk, tap)
        following = write.plus(chunk, write.index(1))
        self.load_tap(self.next_tap, write.select(write.less(following, self.chunks), following, write.index(0)))

    def _copy(self, thread: SSAValue, chunk: SSAValue, tap: Sequence[SSAValue]) -> None:
        shape, write = self.shape, self.builder.write
        k = write.times(write.modulo(thread, write.index(shape.block_k // PIECE)), write.index(PIECE))
        stage = write.modulo(chunk, write.index(shape.stages))
        start = write.plus(tap[0], k)
        in_chunk = write.all_of([write.less(chunk, self.chunks), write.less(k, tap[-1])])
        with write.loop(write.index(0), write.index(self.places), unroll=True) as place:
            parts, exists = self.recall_place(place)
            inside = write.all_of([in_chunk, exists, *self.checks(parts, tap)])
            address, target = write.plus(parts[0], start), [stage, self._row(thread, place), k]
            write.add(CopyAsyncOp(PIECE, self.operand, [address], self.stages, target, inside))
