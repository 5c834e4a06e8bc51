"""X staged as [k, m]: gathered element by element."""

from collections.abc import Callable, Sequence

from xdsl.ir import SSAValue

from rammer_ir.dialects.block import CopyAsyncOp, CopyOp
from rammer_ir.indexing.linear import linear_form
from rammer_ir.indexing.sums import additive_terms, sum_of
from rammer_ir.lowering.bodies.contraction_shape import PIECE, ContractionShape
from rammer_ir.lowering.bodies.contraction_stages import ThreadStaging

RowReader = Callable[[SSAValue], tuple[SSAValue, SSAValue]]
"""Gives the address in X of a row of the chunk, and whether it is to be read."""


class StagedColumns(ThreadStaging):
    """
    A thread copies some rows of one index of M; neighbouring threads have neighbouring indices.

    For any X. A thread computes pieces of 4 neighbouring indices of M.
    """

    @staticmethod
    def fits(shape: ContractionShape) -> bool:
        """Whether the threads share the copies of a chunk evenly."""
        return (
            shape.thread_m % PIECE == 0
            and shape.threads % shape.block_m == 0
            and shape.block_k % (shape.threads // shape.block_m) == 0
        )

    @property
    def stage_shape(self) -> Sequence[int]:
        return [self.shape.block_k, self.shape.block_m]

    @property
    def places(self) -> int:
        return 1

    @property
    def fragment_shape(self) -> Sequence[int]:
        return [2, self.shape.thread_m]

    def describe(self, thread: SSAValue) -> None:
        write = self.builder.write
        if self.roles.channels:
            self.channel_stride = self.builder.parameter(self._channel_stride())
        self.describe_place(write.index(0), write.modulo(thread, write.index(self.shape.block_m)))

    def copy_first(self, thread: SSAValue, number: int) -> None:
        self.copy_next(thread, self.builder.write.index(number))

    def copy_next(self, thread: SSAValue, chunk: SSAValue) -> None:
        shape, write = self.shape, self.builder.write
        column = write.modulo(thread, write.index(shape.block_m))
        first_row = write.divide(thread, write.index(shape.block_m))
        stage = write.modulo(chunk, write.index(shape.stages))
        parts, exists = self.recall_place(write.index(0))
        more = write.less(chunk, self.chunks)
        exists = write.all_of([more, exists])
        if self.roles.channels:
            rows = self._rows_of_one_tap(parts, self.tap(chunk, more), exists)
        else:
            rows = self._rows_of_their_own_taps(parts, chunk, more, exists)
        copy_rows = shape.threads // shape.block_m
        with write.loop(write.index(0), write.index(shape.block_k // copy_rows), unroll=True) as copy:
            row = write.plus(first_row, write.times(copy, write.index(copy_rows)))
            address, inside = rows(row)
            write.add(CopyAsyncOp(1, self.operand, [address], self.stages, [stage, row, column], inside))

    def _rows_of_one_tap(self, parts: Sequence[SSAValue], tap: Sequence[SSAValue], exists: SSAValue) -> RowReader:
        write = self.builder.write
        inside = write.all_of([exists, *self.checks(parts, tap)])
        start, stride = write.plus(parts[0], tap[0]), self.channel_stride

        def read(row: SSAValue) -> tuple[SSAValue, SSAValue]:
            address = write.plus(start, write.times(row, stride))
            return address, write.all_of([inside, write.less(row, tap[-1])])

        return read

    def _rows_of_their_own_taps(
        self, parts: Sequence[SSAValue], chunk: SSAValue, more: SSAValue, exists: SSAValue
    ) -> RowReader:
        write = self.builder.write
        first = write.times(chunk, write.index(self.shape.block_k))

        def read(row: SSAValue) -> tuple[SSAValue, SSAValue]:
            tap = self.tap(write.plus(first, row), more)
            checks = [exists, *self.checks(parts, tap), write.less(write.index(0), tap[-1])]
            return write.plus(parts[0], tap[0]), write.all_of(checks)

        return read

    def _channel_stride(self) -> int:
        """Elements of X between neighbours along the last of the reduced loops."""
        last = self.roles.k[-1]
        form = linear_form(sum_of([term for term in additive_terms(self.parts[0]) if last in term.used_dims()]))
        assert form is not None, "channels are evenly spaced"
        return form.dims[last]

    def read_first(self, fragment: SSAValue, place: Sequence[SSAValue], at_m: SSAValue) -> None:
        self._read(fragment, place, at_m, self.builder.write.index(0), 0)

    def read_ahead(
        self, fragment: SSAValue, place: Sequence[SSAValue], at_m: SSAValue, pair: SSAValue, row: int
    ) -> None:
        write = self.builder.write
        following = write.plus(write.times(pair, write.index(2)), write.index(row + 1))
        with write.when(write.less(following, write.index(self.shape.slice_rows))):
            self._read(fragment, place, at_m, following, (row + 1) % 2)

    def _read(self, fragment: SSAValue, place: Sequence[SSAValue], at_m: SSAValue, row: SSAValue, half: int) -> None:
        write = self.builder.write
        stage, first = place
        for piece in range(self.shape.thread_m // PIECE):
            first_of_piece = write.index(piece * PIECE)
            source = [stage, write.plus(first, row), self.place_m(at_m, first_of_piece)]
            write.add(CopyOp(PIECE, self.stages, source, fragment, [write.index(half), first_of_piece]))

    def element(self, fragment: SSAValue, pair: SSAValue, row: int, number: SSAValue) -> SSAValue:
        write = self.builder.write
        return write.load(fragment, write.index(row), number)

    def place_m(self, at_m: SSAValue, number: SSAValue) -> SSAValue:
        write = self.builder.write
        piece = write.divide(number, write.index(PIECE))
        thread = write.plus(at_m, write.times(piece, write.index(self.shape.threads_m)))
        return write.plus(write.times(thread, write.index(PIECE)), write.modulo(number, write.index(PIECE)))
