"""Loops over the dimensions of a generic, one inside the other, for a body that one thread executes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineExpr

from rammer_ir.dialects.block import Level
from rammer_ir.dialects.rop import GenericOp
from rammer_ir.indexing.linear import linear_form
from rammer_ir.indexing.ranges import expression_range
from rammer_ir.lowering.bodies.generic_code import GenericCode

Point = Sequence[SSAValue]
"""An index for each loop of a generic."""


@dataclass(frozen=True)
class LoopNest:
    """
    Loops over the dimensions `order` of a generic, outermost first. With a `level`, the innermost is parallel.

    An index is left out where one of `limits`, expressions with extents, is not in [0, extent). That is asked as far
    outside as can be, and where it bounds a loop, the loop ends there.
    """

    code: GenericCode
    generic: GenericOp
    order: Sequence[int]
    limits: Sequence[tuple[AffineExpr, int]]
    level: Level | None = None

    def write(self, point: Point, inner: Callable[[Point], None]) -> None:
        """Write the loops; `inner` writes what they do at an index, `point` has those of the other dimensions."""
        self._write(list(point), 0, list(self.limits), inner)

    def _write(
        self, point: list[SSAValue], depth: int, limits: list[tuple[AffineExpr, int]], inner: Callable[[Point], None]
    ) -> None:
        write = self.code.builder.write
        unknown = set(self.order[depth:])
        known = [limit for limit in limits if not limit[0].used_dims() & unknown]
        if known:
            with write.when(write.all_of([self._holds(limit, point) for limit in known])):
                self._write(point, depth, [limit for limit in limits if limit not in known], inner)
        elif depth == len(self.order):
            inner(point)
        else:
            self._write_loop(point, depth, limits, inner)

    def _write_loop(
        self, point: list[SSAValue], depth: int, limits: list[tuple[AffineExpr, int]], inner: Callable[[Point], None]
    ) -> None:
        write, dim = self.code.builder.write, self.order[depth]
        extent = self.code.builder.parameter(self.generic.bounds[dim])
        later = set(self.order[depth + 1 :])
        ends = [limit for limit in limits if self._is_end(limit[0], dim, later)]
        for limit in ends:
            extent = write.add(arith.MinSIOp(extent, self._end(limit, dim, point))).result
        left = [limit for limit in limits if limit not in ends]
        level = self.level if depth + 1 == len(self.order) else None
        loop = write.loop(write.index(0), extent) if level is None else write.parallel(level, extent)
        with loop as index:
            inside = [index if position == dim else value for position, value in enumerate(point)]
            self._write(inside, depth + 1, left, inner)

    def _is_end(self, expression: AffineExpr, dim: int, later: set[int]) -> bool:
        """Whether an expression is a loop's index plus something that is known before it, and never negative."""
        form = linear_form(expression)
        if form is None or form.dims.get(dim) != 1 or expression.used_dims() & later:
            return False
        return expression_range(expression, *self.code.view.ranges(self.generic)).low >= 0

    def _end(self, limit: tuple[AffineExpr, int], dim: int, point: Point) -> SSAValue:
        """Where a loop must end for a limit to hold."""
        expression, extent = limit
        dims = [AffineExpr.dimension(position) for position in range(len(point))]
        dims[dim] = AffineConstantExpr(0)
        symbols = [AffineExpr.symbol(position) for position in range(len(self.code.symbols))]
        start = expression.replace_dims_and_symbols(dims, symbols)
        builder = self.code.builder
        return builder.write.minus(builder.parameter(extent), self._value(start, point))

    def _holds(self, limit: tuple[AffineExpr, int], point: Point) -> SSAValue:
        builder = self.code.builder
        return builder.write.in_range(self._value(limit[0], point), builder.parameter(limit[1]))

    def _value(self, expression: AffineExpr, point: Point) -> SSAValue:
        ranges = self.code.view.ranges(self.generic)
        return self.code.builder.index(expression, point, self.code.symbols, ranges)
