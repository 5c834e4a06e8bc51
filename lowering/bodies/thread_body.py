"""A kernel as one loop over threads: each has some points, and keeps in registers what generics hand on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import cast

from xdsl.dialects.builtin import FloatAttr, IntegerAttr, TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects.block import LaneReduceOp, Level
from rammer_ir.dialects.rop import GenericOp, IndexOp, tensor_type
from rammer_ir.generics.loop_classes import LoopClasses, loop_classes
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.combining import combine
from rammer_ir.lowering.bodies.generic_code import GenericCode
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.point_access import Access, Condition, address_of, in_classes
from rammer_ir.lowering.bodies.point_code import Point, PointCode
from rammer_ir.lowering.bodies.thread_plan import (
    MOST_IN_REGISTERS,
    Accesses,
    ThreadPlan,
    plan_threads,
)
from rammer_ir.lowering.bodies.writer import neutral_element

MOST_LOADS = 24
"""Vectors or elements that a thread loads before it uses them."""

ROUNDS_AT_ONCE = 8
"""Of a loop over a long reduction."""

Totals = dict[tuple[int, int], Sequence[SSAValue]]
"""What is combined so far, by the number of a kept point and the element of an inner vector: one value a result."""


@dataclass(frozen=True)
class ThreadBody:
    """What is known of a kernel that is computed by one loop over threads."""

    view: KernelView
    classes: LoopClasses
    plan: ThreadPlan

    @classmethod
    def of(cls, view: KernelView) -> "ThreadBody | None":
        """The kernel's plan; None where it has to be computed generic by generic."""
        classes = loop_classes(view.generics)
        if classes is None:
            return None
        indexed = {
            numbers[op.dim.value.data]
            for generic, numbers in zip(view.generics, classes.of, strict=True)
            for op in generic.body.block.ops
            if isinstance(op, IndexOp)
        }
        plan = plan_threads(
            classes,
            _Interned(view, classes).accesses(),
            view.symbol_ranges,
            view.tiling.threads,
            indexed=indexed,
        )
        if plan is None:
            return None
        body = cls(view, classes, plan)
        return body if body._is_feasible() else None

    def _is_feasible(self) -> bool:
        """Whether rows fit into registers, or are only summed up in one go; guards are for kept points alone."""
        inner = set(self.classes.inner)
        if any(guard.split.classes & inner for guard in self.plan.accesses.guards):
            return False
        if self.plan.lanes == 1:
            return not any(self._is_row(generic) for generic in self.view.generics) or self.rounds <= 16
        domains = {self.classes.inner_of(number) for number in range(len(self.view.generics))} - {()}
        if len(domains) > 1:
            return False
        return self.is_in_registers or self._is_one_reduction()

    def has_inner(self, generic: GenericOp) -> bool:
        """Whether a generic has inner indices."""
        return bool(self.classes.inner_of(self.view.generics.index(generic)))

    def _is_row(self, generic: GenericOp) -> bool:
        return not generic.reduction_dims() and self.has_inner(generic)

    @property
    def is_in_registers(self) -> bool:
        """Whether a lane keeps all its inner indices."""
        return self.rounds * self.inner_width <= MOST_IN_REGISTERS

    def _is_one_reduction(self) -> bool:
        reductions = [generic for generic in self.view.generics if generic.reduction_dims()]
        last = self.view.generics.index(reductions[-1])
        return len(reductions) == 1 and not any(self._is_row(generic) for generic in self.view.generics[last:])

    @property
    def inner_width(self) -> int:
        """Inner indices that lie in one vector."""
        return self.plan.width if self.plan.vector in self.plan.inner else 1

    @property
    def rounds(self) -> int:
        """How many inner indices, or vectors of them, a thread has."""
        return -(-self.plan.inner_extent // (self.plan.lanes * self.inner_width))

    def write(self, builder: BodyBuilder, symbols: Sequence[SSAValue]) -> None:
        """Write the body."""
        _Writing(self, builder, symbols).run()


class _Interned:
    """The accesses of a kernel in terms of its loop classes, one object for equal ones."""

    def __init__(self, view: KernelView, classes: LoopClasses) -> None:
        self.view = view
        self.classes = classes
        self.code = GenericCode(view, BodyBuilder([], 1), [])
        self._known: dict[tuple[object, ...], Access] = {}
        self._conditions: dict[tuple[AffineExpr, int], Condition] = {}

    def accesses(self) -> Accesses:
        view = self.view
        reads = tuple(
            tuple(self._read(number, position) for position in range(len(generic.inputs)))
            for number, generic in enumerate(view.generics)
        )
        root, numbers = view.generics[-1], self.classes.of[-1]
        writes: list[Access] = []
        guards: list[Condition] = []
        written = view.kernel.written_arguments
        for result, (value, map_attr) in enumerate(zip(root.res, root.output_maps, strict=True)):
            place = next(i for i, argument in enumerate(written) if argument is root.into[result])
            address = in_classes(address_of(map_attr.data, value.type, view.ranges(root)), numbers)
            writes.append(Access(len(view.kernel.reads) + place, tensor_type(value).element_type, address))
            guards += self._limits(root, numbers, map_attr.data, value)
        return Accesses(reads, tuple(writes), tuple(dict.fromkeys(guards)))

    def _limits(
        self, generic: GenericOp, numbers: Sequence[int], affine_map: AffineMap, value: SSAValue
    ) -> list[Condition]:
        """Conditions for a map's index to lie in a tensor."""
        found: list[Condition] = []
        for expression, extent in self.code.unsure_dimensions(generic, affine_map, value.type):
            key = in_classes(expression, numbers), extent
            found.append(self._conditions.setdefault(key, Condition(*key)))
        return found

    def _read(self, number: int, position: int) -> Access | None:
        """How a generic reads an input; None for a local tensor."""
        generic, numbers = self.view.generics[number], self.classes.of[number]
        value, affine_map, pad = generic.inputs[position], generic.input_maps[position].data, generic.pads[position]
        operand = self.view.read_number(value)
        if operand is None:
            return None
        outside = cast("FloatAttr | IntegerAttr", pad) if isinstance(pad, FloatAttr | IntegerAttr) else None
        limits = () if outside is None else tuple(self._limits(generic, numbers, affine_map, value))
        address = in_classes(address_of(affine_map, value.type, self.view.ranges(generic)), numbers)
        element = cast("TensorType[Attribute]", value.type).element_type
        access = Access(operand, element, address, limits, outside if limits else None)
        return self._known.setdefault((operand, address, limits, access.pad), access)


class _Writing:
    """The text of one body."""

    def __init__(self, body: ThreadBody, builder: BodyBuilder, symbols: Sequence[SSAValue]) -> None:
        self.body = body
        self.plan = body.plan
        self.builder = builder
        self.generics = body.view.generics
        self.code = PointCode(body.view, builder, symbols, body.classes, body.plan, self._limits)
        self._slice: SSAValue | None = None
        self._looped = False

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
                self._reduce(generic)
        self._store()

    def _kept_points(self) -> list[Point]:
        """The thread's points of kept classes, those along a vector next to each other."""
        lanes = range(self.plan.width if self.plan.vector in self.plan.kept else 1)
        groups = self.plan.groups
        return [
            self._point({self.plan.vector: lane, **dict(zip(groups, indices, strict=True))})
            for indices in product(*map(range, groups.values()))
            for lane in lanes
        ]

    def _point(self, distances: dict[int | None, int]) -> Point:
        return tuple(distances.get(number, 0) for number in range(len(self.plan.extents)))

    def _inner_points(self, generic: GenericOp, rounds: int) -> list[Point]:
        """The thread's points of a generic's inner classes, in so many rounds if lanes share them."""
        plan = self.plan
        classes = self.body.classes.inner_of(self.generics.index(generic))
        if plan.lanes == 1 or not classes:
            ranges = (range(plan.extents[number]) for number in classes)
            return [self._point(dict(zip(classes, indices, strict=True))) for indices in product(*ranges)]
        (inner,) = plan.inner
        width = self.body.inner_width
        return [self._point({inner: step * plan.lanes * width + e}) for step in range(rounds) for e in range(width)]

    def _limits(self, point: Point) -> tuple[Condition, ...]:
        """Conditions for a point to exist, where lanes share the inner indices: the last round may not be full."""
        plan = self.plan
        if plan.lanes == 1:
            return ()
        (inner,) = plan.inner
        width = self.body.inner_width
        after = point[inner] // width * width + plan.lanes * width
        is_sure = not self._looped and after <= plan.extents[inner]
        return plan.accesses.guards if is_sure else (*plan.accesses.guards, self._inner_end)

    @cached_property
    def _inner_end(self) -> Condition:
        """That an inner index exists."""
        (inner,) = self.plan.inner
        return Condition(AffineExpr.dimension(inner), self.plan.extents[inner])

    # Reads ahead.

    def _prefetch_results(self) -> None:
        """Reads of the last generics that depend on no reduction, if they are few."""
        root = self.generics[-1]
        if not any(generic.reduction_dims() for generic in self.generics) or root.reduction_dims():
            return
        points = self._kept_points() if not self._has_row_results else []
        if points and len(self.code.vectors_read(root, points)) <= MOST_LOADS // 3:
            for point in points:
                self.code.prefetch(root, point)

    @property
    def _has_row_results(self) -> bool:
        """Whether the results have inner indices."""
        return self.body.has_inner(self.generics[-1]) and not self.generics[-1].reduction_dims()

    # Reductions.

    def _reduce(self, generic: GenericOp) -> None:
        kept = self._kept_points()
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
            self._accumulate(generic, kept, self._inner_points(generic, self.body.rounds), totals)
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
                    self.code.prefetch(generic, _sum(point, step))
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
        at = _sum(point, step)
        values = self.code.terms(generic, at)
        limits = self._inner_limit(step)
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

    def _inner_limit(self, point: Point) -> list[Condition]:
        """The condition for an inner index to exist, where it may not."""
        guards = self.plan.accesses.guards
        return [limit for limit in self._limits(point) if limit not in guards]

    def _parts(self, generic: GenericOp, kept: Sequence[Point], inner: Sequence[Point]) -> Iterator[Sequence[Point]]:
        """Inner points in parts whose loads fit into registers together."""
        part: list[Point] = []
        reads: set[object] = set()
        for step in inner:
            more = self.code.vectors_read(generic, (_sum(point, step) for point in kept))
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
        points = self._inner_points(generic, at_once)
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

        self._looped = plan.extents[inner] % stride != 0
        found = write.loop_carrying(code.parameter(-(-plan.extents[inner] // stride)), start, step)
        code.first[inner], self._looped = first, False
        return {key: found[results * position : results * (position + 1)] for position, key in enumerate(keys)}

    def _rounds_at_once(self, generic: GenericOp, kept: Sequence[Point]) -> int:
        """As many rounds as can be loaded before they are used."""
        at_once = ROUNDS_AT_ONCE
        while at_once > 1:
            points = self._inner_points(generic, at_once)
            reads = self.code.vectors_read(generic, (_sum(point, step) for point in kept for step in points))
            if len(reads) <= MOST_LOADS:
                break
            at_once //= 2
        return at_once

    # Results.

    def _store(self) -> None:
        root = self.generics[-1]
        steps = self._inner_points(root, self.body.rounds) if self._has_row_results else [self.code.origin]
        groups = list(self._vectors(self._kept_points(), steps))
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
                yield [_sum(point, step) for point, step in points]

    def _store_vector(self, root: GenericOp, points: Sequence[Point]) -> None:
        write = self.builder.write
        values = [self.code.values(root, point) for point in points]
        conditions: list[SSAValue] = []
        if self.plan.lanes > 1:
            limits = self._limits(points[0]) if self._has_row_results else self.plan.accesses.guards
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
            self.code.store(access, points, [value[number] for value in values])


def _sum(point: Point, other: Point) -> Point:
    return tuple(a + b for a, b in zip(point, other, strict=True))
