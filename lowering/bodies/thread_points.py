"""The points of one thread of a loop over threads."""

from functools import cached_property
from itertools import product

from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import GenericOp
from rammer_ir.lowering.bodies.point_access import Condition
from rammer_ir.lowering.bodies.points import Point
from rammer_ir.lowering.bodies.thread_body import ThreadBody


class ThreadPoints:
    """
    The points that a thread has of a kernel's loop classes.

    While the code of a loop over inner indices is written that the last of its rounds overruns, `is_looped` is true.
    """

    def __init__(self, body: ThreadBody) -> None:
        self.body = body
        self.plan = body.plan
        self.is_looped = False

    def kept(self) -> list[Point]:
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

    def inner(self, generic: GenericOp, rounds: int) -> list[Point]:
        """The thread's points of a generic's inner classes, in so many rounds if lanes share them."""
        plan = self.plan
        classes = self.body.classes.inner_of(self.body.view.generics.index(generic))
        if plan.lanes == 1 or not classes:
            ranges = (range(plan.extents[number]) for number in classes)
            return [self._point(dict(zip(classes, indices, strict=True))) for indices in product(*ranges)]
        (inner,) = plan.inner
        width = self.body.inner_width
        return [self._point({inner: step * plan.lanes * width + e}) for step in range(rounds) for e in range(width)]

    def limits(self, point: Point) -> tuple[Condition, ...]:
        """Conditions for a point to exist, where lanes share the inner indices: the last round may not be full."""
        plan = self.plan
        if plan.lanes == 1:
            return ()
        (inner,) = plan.inner
        width = self.body.inner_width
        after = point[inner] // width * width + plan.lanes * width
        is_sure = not self.is_looped and after <= plan.extents[inner]
        return plan.accesses.guards if is_sure else (*plan.accesses.guards, self._inner_end)

    def inner_limit(self, point: Point) -> list[Condition]:
        """The condition for an inner index to exist, where it may not."""
        guards = self.plan.accesses.guards
        return [limit for limit in self.limits(point) if limit not in guards]

    @cached_property
    def _inner_end(self) -> Condition:
        """That an inner index exists."""
        (inner,) = self.plan.inner
        return Condition(AffineExpr.dimension(inner), self.plan.extents[inner])
