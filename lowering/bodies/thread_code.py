"""The text of a kernel that is one loop over threads."""

from collections.abc import Iterator, Sequence
from itertools import product

from xdsl.ir import SSAValue

from rammer_ir.dialects.block import CopyOp, Level, MemorySpace
from rammer_ir.dialects.rop import GenericOp
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.point_access import Access, Condition
from rammer_ir.lowering.bodies.point_code import PointCode
from rammer_ir.lowering.bodies.points import Point, sum_of_points
from rammer_ir.lowering.bodies.thread_body import ThreadBody
from rammer_ir.lowering.bodies.thread_points import ThreadPoints
from rammer_ir.lowering.bodies.thread_reductions import MOST_LOADS, ThreadReductions


def write_thread_body(body: ThreadBody, builder: BodyBuilder, symbols: Sequence[SSAValue]) -> None:
    """Write the body of a kernel; `symbols` are the task's coordinates and loop index."""
    _Writing(body, builder, symbols).run()


class _Writing:
    """The text of one body."""

    def __init__(self, body: ThreadBody, builder: BodyBuilder, symbols: Sequence[SSAValue]) -> None:
        self.body = body
        self.plan = body.plan
        self.builder = builder
        self.generics = body.view.generics
        self.points = ThreadPoints(body)
        self.code = PointCode(body.view, builder, symbols, body.classes, body.plan, self.points.limits)
        self.reductions = ThreadReductions(self.points, self.code, builder)
        self._slice: SSAValue | None = None

    def run(self) -> None:
        write, plan = self.builder.write, self.plan
        extent = self.builder.parameter(plan.threads)
        with write.parallel(Level.THREAD, extent) as thread:
            self._decode(thread)
            inside = None if plan.lanes > 1 else self.code.holds(plan.accesses.guards, self.code.origin)
            if inside is None:
                self._compute()
            else:
                with write.when(inside):
                    self._compute()

    def _decode(self, thread: SSAValue) -> None:
        """The first index of each class, from the number of the iteration."""
        write, plan = self.builder.write, self.plan
        point = thread
        if plan.lanes > 1:
            step = write.index(plan.step)
            part = thread if plan.step == 1 else write.divide(thread, step)
            self._slice = write.modulo(part, write.index(plan.lanes))
            point = write.divide(part, write.index(plan.lanes))
            if plan.step > 1:
                point = write.plus(write.times(point, step), write.modulo(thread, step))
            (inner,) = plan.inner
            width = plan.width if plan.vector == inner else 1
            self.code.first[inner] = self._slice if width == 1 else write.times(self._slice, write.index(width))
        units = {number: self._unit(number) for number in plan.kept}
        left = [number for number in plan.kept if plan.extents[number] > units[number]]
        extents = [write.index(0), *(self.code.parameter(plan.extents[number] // units[number]) for number in left[1:])]
        for number, index in zip(left, write.decode(point, extents[: len(left)]), strict=True):
            unit = units[number]
            self.code.first[number] = index if unit == 1 else write.times(index, write.index(unit))

    def _unit(self, number: int) -> int:
        """Indices of a kept class that one thread has."""
        unit = self.plan.width if number == self.plan.vector else 1
        return unit * self.plan.groups.get(number, 1)

    def _compute(self) -> None:
        self._prefetch_results()
        for generic in self.generics:
            if generic.reduction_dims():
                self.reductions.reduce(generic)
        self._store()

    def _prefetch_results(self) -> None:
        """Reads of the last generics that depend on no reduction, if they are few."""
        root = self.generics[-1]
        if not any(generic.reduction_dims() for generic in self.generics) or root.reduction_dims():
            return
        points = self.points.kept() if not self._has_row_results else []
        if points and len(self.code.vectors_read(root, points)) <= MOST_LOADS // 3:
            for point in points:
                self.code.prefetch(root, point)

    @property
    def _has_row_results(self) -> bool:
        """Whether the results have inner indices."""
        return self.body.has_inner(self.generics[-1]) and not self.generics[-1].reduction_dims()

    def _store(self) -> None:
        root = self.generics[-1]
        steps = self.points.inner(root, self.body.rounds) if self._has_row_results else [self.code.origin]
        groups = list(self._vectors(self.points.kept(), steps))
        if not root.reduction_dims():
            for point in (point for points in groups for point in points):
                self.code.prefetch(root, point)
        for points in groups:
            self._store_vector(root, points)

    def _vectors(self, kept: Sequence[Point], steps: Sequence[Point]) -> Iterator[Sequence[Point]]:
        """The points of the results, those together that lie along a vector."""
        of_kept = self.plan.width if self.plan.vector in self.plan.kept else 1
        of_steps = self.body.inner_width if len(steps) > 1 else 1
        for first in range(0, len(kept), of_kept):
            for start in range(0, len(steps), of_steps):
                points = product(kept[first : first + of_kept], steps[start : start + of_steps])
                yield [sum_of_points(point, step) for point, step in points]

    def _store_vector(self, root: GenericOp, points: Sequence[Point]) -> None:
        write = self.builder.write
        values = [self.code.values(root, point) for point in points]
        conditions: list[SSAValue] = []
        if self.plan.lanes > 1:
            limits = self.points.limits(points[0]) if self._has_row_results else self.plan.accesses.guards
            conditions += self._condition(limits, points[0])
        if self._slice is not None and not self._has_row_results:
            conditions.append(write.less(self._slice, write.index(1)))
        if not conditions:
            self._store_values(points, values)
            return
        with self.code.scope(), write.when(write.all_of(conditions)):
            self._store_values(points, values)

    def _condition(self, conditions: Sequence[Condition], point: Point) -> list[SSAValue]:
        holds = self.code.holds(conditions, point)
        return [] if holds is None else [holds]

    def _store_values(self, points: Sequence[Point], values: Sequence[Sequence[SSAValue]]) -> None:
        for number, access in enumerate(self.plan.accesses.writes):
            self._store_access(access, points, [value[number] for value in values])

    def _store_access(self, access: Access, points: Sequence[Point], values: Sequence[SSAValue]) -> None:
        """Store values at points that follow each other along the plan's vectors, if there are several."""
        write, code = self.builder.write, self.code
        operand, width, vector = self.builder.operand(access.operand), self.plan.width, self.plan.vector
        if len(points) == width > 1 and vector is not None and access.is_vector(vector, width):
            array = write.allocate([width], access.element, MemorySpace.THREAD)
            for lane, value in enumerate(values):
                write.store(value, array, write.index(lane))
            write.add(CopyOp(width, array, [write.index(0)], operand, [code.address(access, points[0])]))
            return
        for point, value in zip(points, values, strict=True):
            write.store(value, operand, code.address(access, point))
