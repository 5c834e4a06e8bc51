"""X staged as [m, k], read by threads that compute rows and columns of their own."""

from collections.abc import Sequence
from typing import ClassVar

from xdsl.ir import SSAValue

from rammer_ir.dialects.block import CopyOp
from rammer_ir.lowering.bodies.contraction_row_copies import RowCopies
from rammer_ir.lowering.bodies.contraction_shape import PIECE, ContractionShape
from rammer_ir.lowering.bodies.contraction_stages import ThreadStaging

PAIR = 2
"""Elements along K that a thread reads at once: four would not leave registers for those of the next rows."""


class StagedRows(RowCopies[ContractionShape], ThreadStaging):
    """A thread computes every `threads_m`-th index of M; eight neighbouring rows lie in different banks."""

    padding: ClassVar[int] = PIECE

    @property
    def fragment_shape(self) -> Sequence[int]:
        return [2, self.shape.thread_m, PAIR]

    def read_first(self, fragment: SSAValue, place: Sequence[SSAValue], at_m: SSAValue) -> None:
        self._read(fragment, place, at_m, self.builder.write.index(0))

    def read_ahead(
        self, fragment: SSAValue, place: Sequence[SSAValue], at_m: SSAValue, pair: SSAValue, row: int
    ) -> None:
        if row == 0:
            write = self.builder.write
            following = write.plus(pair, write.index(1))
            with write.when(write.less(following, write.index(self.shape.slice_rows // PAIR))):
                self._read(fragment, place, at_m, following)

    def _read(self, fragment: SSAValue, place: Sequence[SSAValue], at_m: SSAValue, pair: SSAValue) -> None:
        write = self.builder.write
        stage, first = place
        row, half = write.plus(first, write.times(pair, write.index(PAIR))), write.modulo(pair, write.index(2))
        with write.loop(write.index(0), write.index(self.shape.thread_m), unroll=True) as number:
            source = [stage, self.place_m(at_m, number), row]
            write.add(CopyOp(PAIR, self.stages, source, fragment, [half, number, write.index(0)]))

    def element(self, fragment: SSAValue, pair: SSAValue, row: int, number: SSAValue) -> SSAValue:
        write = self.builder.write
        return write.load(fragment, write.modulo(pair, write.index(2)), number, write.index(row))

    def place_m(self, at_m: SSAValue, number: SSAValue) -> SSAValue:
        write = self.builder.write
        return write.plus(at_m, write.times(number, write.index(self.shape.threads_m)))
