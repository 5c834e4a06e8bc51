"""Determinants, by Gaussian elimination with pivots."""

from dataclasses import dataclass
from math import prod
from typing import Final

from xdsl.dialects.builtin import TensorType, i64
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.generated import index
from rammer_ir.frontend.ops.views import reshaped
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value

_LARGEST: Final = 64
"""Every row takes rOperators of its own."""


@onnx_op("Det", since=11)
def determinant(node: Node, build: GraphBuilder) -> Value:
    """The determinants of [..., n, n]."""
    operand = node.input(0)
    if operand.rank < 2 or operand.shape[-1] != operand.shape[-2]:
        raise node.error(f"needs square matrices, not {list(operand.shape)}")
    size, outer = operand.shape[-1], operand.shape[:-2]
    if size > _LARGEST:
        raise node.error(f"of {size} rows is not supported; the most are {_LARGEST}")
    matrices = reshaped(build, operand, (prod(outer), size, size))
    result: Value | None = None
    while matrices.shape[1] > 1:
        step = _Step(build, matrices)
        factor, matrices = step.run()
        result = factor if result is None else build.pointwise([result, factor], factor.shape, scalars.multiply)
    last = reshaped(build, matrices, (prod(outer),))
    if result is not None:
        last = build.pointwise([result, last], last.shape, scalars.multiply)
    return reshaped(build, last, outer)


@dataclass(frozen=True)
class _Step:
    """The elimination of the first column of matrices [B, n, n], by the row with the largest element there."""

    build: GraphBuilder
    matrices: Value

    @property
    def _element(self) -> Attribute:
        return self.matrices.element_type

    def run(self) -> tuple[Value, Value]:
        """The pivot, negative where rows change places [B], and what is left [B, n - 1, n - 1]."""
        pivots = self._pivots()
        rows = self._rows(pivots)
        return self._factor(rows, pivots), self._rest(rows, pivots)

    def _pivots(self) -> Value:
        """The number of the first row with the largest element [B], i64."""
        build, (batch, size, _) = self.build, self.matrices.shape
        matrix, row = loop_dims(2)
        read = Read(build.read(self.matrices), [matrix, row, AffineExpr.constant(0)])
        (largest,) = build.generic(
            (batch, size),
            [read],
            [Write(TensorType(self._element, (batch,)), [matrix], Combiner.MAXIMUM)],
            scalars.absolute,
        )

        def number(x: SSAValue, top: SSAValue) -> SSAValue:
            is_largest = scalars.compare("eq", scalars.absolute(x), top)
            return scalars.select(is_largest, index(1), scalars.constant(size - 1, i64))

        write = Write(TensorType(i64, (batch,)), [matrix], Combiner.MINIMUM)
        return build.generic((batch, size), [read, Read(build.read(largest), [matrix])], [write], number)[0]

    def _rows(self, pivots: Value) -> Value:
        """The rows of the pivots [B, n]."""
        build, (batch, size, _) = self.build, self.matrices.shape
        matrix, column, row = loop_dims(3)

        def chosen(x: SSAValue, pivot: SSAValue) -> SSAValue:
            return scalars.select(scalars.compare("eq", index(2), pivot), x, scalars.constant_like(0, x))

        reads = [Read(build.read(self.matrices), [matrix, row, column]), Read(build.read(pivots), [matrix])]
        write = Write(TensorType(self._element, (batch, size)), [matrix, column], Combiner.ADD)
        return build.generic((batch, size, size), reads, [write], chosen)[0]

    def _factor(self, rows: Value, pivots: Value) -> Value:
        build, batch = self.build, self.matrices.shape[0]
        (matrix,) = loop_dims(1)

        def body(value: SSAValue, pivot: SSAValue) -> SSAValue:
            is_first = scalars.compare("eq", pivot, scalars.constant(0, i64))
            return scalars.select(is_first, value, scalars.negative(value))

        reads = [Read(build.read(rows), [matrix, AffineExpr.constant(0)]), Read(build.read(pivots), [matrix])]
        return build.generic((batch,), reads, [Write(TensorType(self._element, (batch,)), [matrix])], body)[0]

    def _rest(self, rows: Value, pivots: Value) -> Value:
        """Each other row less a multiple of the pivot's; the first row takes the place of the pivot's."""
        build, (batch, size, _) = self.build, self.matrices.shape
        shape = (batch, size - 1, size - 1)
        matrix, row, column = dims = loop_dims(3)
        zero = AffineExpr.constant(0)
        source = build.read(self.matrices)

        def body(*elements: SSAValue) -> SSAValue:
            own, own_first, top, top_first, value, pivot_value, pivot = elements
            is_moved = scalars.compare("eq", scalars.add(index(1), scalars.constant(1, i64)), pivot)
            x, first = scalars.select(is_moved, top, own), scalars.select(is_moved, top_first, own_first)
            is_none = scalars.compare("eq", pivot_value, scalars.constant_like(0, x))
            divisor = scalars.select(is_none, scalars.constant_like(1, x), pivot_value)
            return scalars.subtract(x, scalars.multiply(scalars.divide(first, divisor), value))

        reads = [
            Read(source, [matrix, row + 1, column + 1]),
            Read(source, [matrix, row + 1, zero]),
            Read(source, [matrix, zero, column + 1]),
            Read(source, [matrix, zero, zero]),
            Read(build.read(rows), [matrix, column + 1]),
            Read(build.read(rows), [matrix, zero]),
            Read(build.read(pivots), [matrix]),
        ]
        return build.generic(shape, reads, [Write(TensorType(self._element, shape), dims)], body)[0]
