"""Reductions in the code of one thread: its own terms, loads first, then those of the lanes that share them."""

from collections.abc import Iterator, Sequence

from xdsl.ir import SSAValue

from rammer_ir.dialects.block import LaneReduceOp
from rammer_ir.dialects.rop import GenericOp, tensor_type
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.combining import combine
from rammer_ir.lowering.bodies.point_code import PointCode
from rammer_ir.lowering.bodies.points import Point, sum_of_points
from rammer_ir.lowering.bodies.thread_points import ThreadPoints
from rammer_ir.lowering.bodies.writer import neutral_element

MOST_LOADS = 24
"""Vectors or elements that a thread loads before it uses them."""

ROUNDS_AT_ONCE = 8
"""Of a loop over a long reduction."""

Totals = dict[tuple[int, int], Sequence[SSAValue]]
"""What is combined so far, by the number of a kept point and the element of an inner vector: one value a result."""


class ThreadReductions:
    """Writes the reductions of a kernel."""

    def __init__(self, points: ThreadPoints, code: PointCode, builder: BodyBuilder) -> None:
        self.points = points
        self.body = points.body
        self.plan = points.plan
        self.code = code
        self.builder = builder

    def reduce(self, generic: GenericOp) -> None:
        """Write a reduction; its results are values of the code then."""
        kept = self.points.kept()
        combined = self._sums(generic, kept)
        for point, values in zip(kept, combined, strict=True):
            if self.plan.lanes > 1 and self.body.has_inner(generic):
                values = [
                    self.builder.write.add(LaneReduceOp(combiner, value, self.plan.lanes, self.plan.step)).result
                    for combiner, value in zip(generic.combiners, values, strict=True)
                ]
            self.code.set_values(generic, point, values)

    def _sums(self, generic: GenericOp, kept: Sequence[Point]) -> list[list[SSAValue]]:
        """For each point, what the thread's own inner indices give: one value a result."""
        if self.plan.lanes == 1 or self.body.is_in_registers or not self.body.has_inner(generic):
            totals: Totals = {}
            self._accumulate(generic, kept, self.points.inner(generic, self.body.rounds), totals)
        else:
            totals = self._loop(generic, kept)
        return [self._of_all_elements(generic, totals, number) for number in range(len(kept))]

    def _of_all_elements(self, generic: GenericOp, totals: Totals, number: int) -> list[SSAValue]:
        """The sums of the elements of a vector, together."""
        parts = [values for (kept, _), values in sorted(totals.items(), key=lambda item: item[0]) if kept == number]
        result = list(parts[0])
        for part in parts[1:]:
            result = self._combined(generic, result, part)
        return result

    def _combined(self, generic: GenericOp, left: Sequence[SSAValue], right: Sequence[SSAValue]) -> list[SSAValue]:
        return [
            combine(self.builder.write, combiner, a, b)
            for combiner, a, b in zip(generic.combiners, left, right, strict=True)
        ]

    def _accumulate(
        self,
        generic: GenericOp,
        kept: Sequence[Point],
        inner: Sequence[Point],
        totals: Totals,
    ) -> None:
        """Combine terms into totals by (number of the kept point, element of an inner vector), loads first."""
        for part in self._parts(generic, kept, inner):
            for step in part:
                for point in kept:
                    self.code.prefetch(generic, sum_of_points(point, step))
            for step in part:
                for number, point in enumerate(kept):
                    self._add_term(generic, totals, number, point, step)

    def _add_term(
        self,
        generic: GenericOp,
        totals: Totals,
        number: int,
        point: Point,
        step: Point,
    ) -> None:
        at = sum_of_points(point, step)
        values = self.code.terms(generic, at)
        limits = self.points.inner_limit(step)
        if limits and self.body.has_inner(generic):
            write = self.builder.write
            exists = self.code.holds(limits, step)
            assert exists is not None
            values = [
                write.select(exists, value, write.constant(neutral_element(combiner, value.type)))
                for combiner, value in zip(generic.combiners, values, strict=True)
            ]
        element = step[self.plan.inner[0]] % self.body.inner_width if self.body.inner_width > 1 else 0
        key = number, element
        totals[key] = self._combined(generic, totals[key], values) if key in totals else values

    def _parts(self, generic: GenericOp, kept: Sequence[Point], inner: Sequence[Point]) -> Iterator[Sequence[Point]]:
        """Inner points in parts whose loads fit into registers together."""
        part: list[Point] = []
        reads: set[object] = set()
        for step in inner:
            more = self.code.vectors_read(generic, (sum_of_points(point, step) for point in kept))
            if part and len(reads | more) > MOST_LOADS:
                yield part
                part, reads = [], set()
            part.append(step)
            reads |= more
        if part:
            yield part

    def _loop(self, generic: GenericOp, kept: Sequence[Point]) -> Totals:
        """A loop over many rounds, several at a time."""
        write, plan, code = self.builder.write, self.plan, self.code
        at_once = self._rounds_at_once(generic, kept)
        points = self.points.inner(generic, at_once)
        (inner,) = plan.inner
        stride = at_once * plan.lanes * self.body.inner_width
        keys = [(number, element) for number in range(len(kept)) for element in range(self.body.inner_width)]
        combiners = list(
            zip(generic.combiners, (tensor_type(value).element_type for value in generic.res), strict=True)
        )
        start = [write.constant(neutral_element(*each)) for _ in keys for each in combiners]
        results = len(combiners)
        first = code.first[inner]
        assert first is not None

        def step(index: SSAValue, so_far: Sequence[SSAValue]) -> list[SSAValue]:
            with code.fresh():
                code.first[inner] = write.plus(first, write.times(index, write.index(stride)))
                totals: Totals = {
                    key: so_far[results * position : results * (position + 1)] for position, key in enumerate(keys)
                }
                self._accumulate(generic, kept, points, totals)
                return [value for key in keys for value in totals[key]]

        self.points.is_looped = plan.extents[inner] % stride != 0
        found = write.loop_carrying(code.parameter(-(-plan.extents[inner] // stride)), start, step)
        code.first[inner], self.points.is_looped = first, False
        return {key: found[results * position : results * (position + 1)] for position, key in enumerate(keys)}

    def _rounds_at_once(self, generic: GenericOp, kept: Sequence[Point]) -> int:
        """As many rounds as can be loaded before they are used."""
        at_once = ROUNDS_AT_ONCE
        while at_once > 1:
            points = self.points.inner(generic, at_once)
            reads = self.code.vectors_read(generic, (sum_of_points(point, step) for point in kept for step in points))
            if len(reads) <= MOST_LOADS:
                break
            at_once //= 2
        return at_once
