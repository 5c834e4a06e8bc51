"""Code for what one thread computes of a kernel: values at points, each loaded and computed once."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import cast

from xdsl.dialects.builtin import FloatAttr, IntegerAttr
from xdsl.ir import OpResult, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.block import CopyOp, MemorySpace
from rammer_ir.dialects.rop import Combiner, ExtractOp, GenericOp, IndexOp, YieldOp
from rammer_ir.generics.loop_classes import LoopClasses
from rammer_ir.indexing.ranges import extent_ranges
from rammer_ir.indexing.sums import sum_of
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.extracted import load_extracted
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.point_access import Access, Condition, Split
from rammer_ir.lowering.bodies.points import Point, moved, only
from rammer_ir.lowering.bodies.thread_plan import ThreadPlan
from rammer_ir.lowering.bodies.writer import neutral_element


class PointCode:
    """
    Writes reads, values and stores at points of one thread.

    `first` are the thread's first indices of all classes, None where that is 0. `limits` gives conditions for a point
    to exist, under which all reads stand. What was written once is used again, as long as it is in scope.
    """

    def __init__(
        self,
        view: KernelView,
        builder: BodyBuilder,
        symbols: Sequence[SSAValue],
        classes: LoopClasses,
        plan: ThreadPlan,
        limits: Callable[[Point], tuple[Condition, ...]],
    ) -> None:
        self.view = view
        self.builder = builder
        self.plan = plan
        self.first: list[SSAValue | None] = [None] * len(plan.extents)
        self._limits = limits
        self._symbols = symbols
        self._classes = classes
        self._numbers = {generic: number for number, generic in enumerate(view.generics)}
        self._parameters: dict[int, SSAValue] = {}
        self._known: dict[object, SSAValue] = {}
        self._vectors: dict[tuple[Access, tuple[Condition, ...]], bool] = {}
        self._values: dict[tuple[GenericOp, Point], Sequence[SSAValue]] = {}

    @property
    def origin(self) -> Point:
        return (0,) * len(self.plan.extents)

    @contextmanager
    def scope(self) -> Generator[None]:
        """What is written inside is not used again behind it."""
        known, values = dict(self._known), dict(self._values)
        yield
        self._known, self._values = known, values

    @contextmanager
    def fresh(self) -> Generator[None]:
        """Neither is what was written before used inside."""
        with self.scope():
            self._known, self._values = {}, {}
            yield

    def classes_of(self, generic: GenericOp) -> Sequence[int]:
        return self._classes.of[self._numbers[generic]]

    def parameter(self, value: int) -> SSAValue:
        """A parameter with a value, the same for equal ones."""
        if value not in self._parameters:
            self._parameters[value] = self.builder.parameter(value)
        return self._parameters[value]

    def _once(self, key: object, make: Callable[[], SSAValue]) -> SSAValue:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    # Indices.

    def class_index(self, number: int, point: Point) -> SSAValue:
        """The index of a class at a point."""
        write = self.builder.write
        base, distance = self.first[number], point[number]
        if base is None:
            return write.index(distance)
        return base if distance == 0 else write.plus(base, write.index(distance))

    def _value(self, split: Split, point: Point, distance: Callable[[dict[int, int]], SSAValue]) -> SSAValue:
        """An expression at a point: its value at the thread's first indices, plus what `distance` makes of the rest."""
        start = only(point, split.curved)
        base = self._once(("base", split, start), lambda: self._base(split, start))
        counts: dict[int, int] = {}
        for dim, by in split.linear.items():
            counts[by] = counts.get(by, 0) + point[dim]
        total = split.distance(point)
        if total == 0:
            return base
        key = ("moved", split, start, total)
        return self._once(key, lambda: self.builder.write.plus(base, distance(counts)))

    def _base(self, split: Split, point: Point) -> SSAValue:
        linear = [AffineExpr.dimension(dim) * by for dim, by in split.linear.items() if self.first[dim] is not None]
        dims = [self.class_index(number, point) for number in range(len(point))]
        ranges = extent_ranges(self.plan.extents), self.view.symbol_ranges
        return self.builder.index(sum_of([*linear, *split.rest]), dims, self._symbols, ranges)

    def address(self, access: Access, point: Point) -> SSAValue:
        """The address that an access has at a point. Its coefficients are sizes of tensors, thus parameters."""
        return self._value(access.split, point, self._strides)

    def _strides(self, counts: dict[int, int]) -> SSAValue:
        total = sum(by * count for by, count in counts.items())
        return self._once(("distance", total), lambda: self._sum_of_strides(counts))

    def _sum_of_strides(self, counts: dict[int, int]) -> SSAValue:
        write = self.builder.write
        terms: list[SSAValue] = []
        for stride, count in sorted(counts.items()):
            if stride == 1 and count:
                terms.append(write.index(count))
            elif count:
                unit = self.parameter(stride)
                terms.append(unit if count == 1 else write.times(unit, write.index(count)))
        return write.plus(*terms)

    def holds(self, conditions: Iterable[Condition], point: Point) -> SSAValue | None:
        """Whether conditions hold at a point; None if there are none."""
        results = [self._holds(condition, point) for condition in dict.fromkeys(conditions)]
        if not results:
            return None
        return self._once(("all", *results), lambda: self.builder.write.all_of(results))

    def _holds(self, condition: Condition, point: Point) -> SSAValue:
        def constant(counts: dict[int, int]) -> SSAValue:
            return self.builder.write.index(sum(by * count for by, count in counts.items()))

        def make() -> SSAValue:
            index = self._value(condition.split, point, constant)
            return self.builder.write.in_range(index, self.parameter(condition.extent))

        split = condition.split
        return self._once((condition, split.distance(point), only(point, split.curved)), make)

    # Reads.

    def read(self, access: Access, point: Point) -> SSAValue:
        """The element that an access reads at a point; its pad, or 0, where it is out of range."""
        conditions = self._conditions(access, point)
        vector, width = self.plan.vector, self.plan.width
        if vector is None or not self._is_vector(access, conditions):
            key = ("element", access, _place(access, conditions, point))
            return self._once(key, lambda: self._load_element(access, conditions, point))
        lane = point[vector] % width
        start = moved(point, vector, -lane)
        place = _place(access, conditions, start)
        array = self._once(("vector", access, place), lambda: self._load_vector(access, conditions, start))
        write = self.builder.write
        return self._once(("lane", access, place, lane), lambda: write.load(array, write.index(lane)))

    def _conditions(self, access: Access, point: Point) -> tuple[Condition, ...]:
        """For an element to be there: the access' own, and the limits of indices that it depends on."""
        limits = self._limits(point)
        if not limits:
            return access.conditions
        return (*access.conditions, *(limit for limit in limits if limit.split.classes & access.classes))

    def _is_vector(self, access: Access, conditions: tuple[Condition, ...]) -> bool:
        key = (access, conditions)
        if key not in self._vectors:
            vector, width = self.plan.vector, self.plan.width
            self._vectors[key] = (
                vector is not None
                and access.is_vector(vector, width)
                and all(condition.holds_for_groups(vector, width) for condition in conditions)
            )
        return self._vectors[key]

    def _load_element(self, access: Access, conditions: Sequence[Condition], point: Point) -> SSAValue:
        write = self.builder.write
        inside = self.holds(conditions, point)
        operand = self.builder.operand(access.operand)
        address = self.address(access, point)
        if inside is None:
            return write.load(operand, address)
        outside = self._outside(access)
        return write.choose(
            inside, lambda: write.load(operand, address), lambda: write.constant(outside), access.element
        )

    def _load_vector(self, access: Access, conditions: Sequence[Condition], point: Point) -> SSAValue:
        """A per-thread array with a vector."""
        write, width = self.builder.write, self.plan.width
        array = write.allocate([width], access.element, MemorySpace.THREAD)
        operand, zero = self.builder.operand(access.operand), write.index(0)
        inside = self.holds(conditions, point)
        address = self.address(access, point)
        if inside is None:
            write.add(CopyOp(width, operand, [address], array, [zero]))
            return array
        pad = write.constant(self._outside(access))
        for lane in range(width):
            write.store(pad, array, write.index(lane))
        with write.when(inside):
            write.add(CopyOp(width, operand, [address], array, [zero]))
        return array

    def _outside(self, access: Access) -> FloatAttr | IntegerAttr:
        return neutral_element(Combiner.ADD, access.element) if access.pad is None else access.pad

    # Values.

    def prefetch(self, generic: GenericOp, point: Point) -> None:
        """Write the reads that a generic's values at a point need."""
        for value, access in zip(generic.inputs, self.plan.accesses.reads[self._numbers[generic]], strict=True):
            if access is not None:
                self.read(access, point)
                continue
            writer = cast("GenericOp", cast("OpResult", value).op)
            if not writer.reduction_dims():
                self.prefetch(writer, point)

    def vectors_read(self, generic: GenericOp, points: Iterable[Point]) -> set[object]:
        """The elements or vectors that are read for a generic at some points."""
        found: set[object] = set()
        for point in points:
            self._add_reads(generic, point, found)
        return found

    def _add_reads(self, generic: GenericOp, point: Point, found: set[object]) -> None:
        for value, access in zip(generic.inputs, self.plan.accesses.reads[self._numbers[generic]], strict=True):
            if access is None:
                writer = cast("GenericOp", cast("OpResult", value).op)
                if not writer.reduction_dims():
                    self._add_reads(writer, point, found)
                continue
            vector, conditions = self.plan.vector, self._conditions(access, point)
            start = point
            if vector is not None and self._is_vector(access, conditions):
                start = moved(point, vector, -(point[vector] % self.plan.width))
            found.add((access, _place(access, conditions, start)))

    def values(self, generic: GenericOp, point: Point) -> Sequence[SSAValue]:
        """What a generic's results are at a point; a reduction's must have been set."""
        key = (generic, only(point, self._result_classes(generic)))
        if key not in self._values:
            self._values[key] = self.terms(generic, point)
        return self._values[key]

    def set_values(self, generic: GenericOp, point: Point, values: Sequence[SSAValue]) -> None:
        """Note what a reduction gives at a point of its kept classes."""
        self._values[(generic, only(point, self._result_classes(generic)))] = values

    def _result_classes(self, generic: GenericOp) -> set[int]:
        """The classes on which a generic's results depend, among them the parts of split ones."""
        classes = set(self.classes_of(generic))
        classes.update(number for number in self.plan.groups if number >= len(self._classes.extents))
        return classes - set(self._classes.inner) if generic.reduction_dims() else classes

    def terms(self, generic: GenericOp, point: Point) -> Sequence[SSAValue]:
        """What the scalar body of a generic yields at a point."""
        inputs: list[SSAValue] = []
        for value, access in zip(generic.inputs, self.plan.accesses.reads[self._numbers[generic]], strict=True):
            if access is not None:
                inputs.append(self.read(access, point))
            else:
                result = cast("OpResult", value)
                inputs.append(self.values(cast("GenericOp", result.op), point)[result.index])
        return self._body(generic, point, inputs)

    def _body(self, generic: GenericOp, point: Point, inputs: Sequence[SSAValue]) -> Sequence[SSAValue]:
        values: dict[SSAValue, SSAValue] = dict(zip(generic.body.block.args, inputs, strict=True))
        values.update(zip(self.view.kernel.region.block.args, self._symbols, strict=False))
        classes = self.classes_of(generic)
        for op in generic.body.block.ops:
            if isinstance(op, YieldOp):
                return [values[value] for value in op.values]
            if isinstance(op, IndexOp):
                values[op.result] = self.class_index(classes[op.dim.value.data], point)
                continue
            if isinstance(op, ExtractOp):
                values[op.result] = load_extracted(op, values, self.view, self.builder, self.parameter)
                continue
            values.update(zip(op.results, self.builder.write.add(op.clone(values)).results, strict=True))
        raise AssertionError("the body of a generic ends with rop.yield")


def _place(access: Access, conditions: Sequence[Condition], point: Point) -> tuple[object, ...]:
    """What distinguishes the element that is read at a point from others that the access reads."""
    splits = (access.split, *(condition.split for condition in conditions))
    return tuple((split.distance(point), only(point, split.curved)) for split in splits)
