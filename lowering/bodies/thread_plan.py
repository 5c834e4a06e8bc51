"""How the points of a kernel are spread over threads: vectors, several points a thread, lanes that share reductions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import prod

from xdsl.ir.affine import AffineExpr

from rammer_ir.generics.loop_classes import LoopClasses
from rammer_ir.indexing.ranges import Range, extent_ranges
from rammer_ir.indexing.simplify import simplify_expression
from rammer_ir.lowering.bodies.point_access import Access, Condition

WIDTHS = (4, 2)
"""Elements of a vector, the best first."""

GROUPS = (4, 2)
"""Vectors of results that one thread computes, the best first."""

WINDOW_GROUPS = ((2, 4), (1, 4), (2, 2), (1, 2))
"""The same where windows overlap: those above each other, and those side by side."""

MOST_UNROLLED = 800
"""Terms that the code of one thread spells out."""

MOST_IN_REGISTERS = 64
"""Elements of a row that one lane keeps."""

FEWEST_TO_SHARE = 32
"""Elements of a reduction that lanes share."""

WARP = 32
"""Lanes of a warp."""


@dataclass(frozen=True)
class Accesses:
    """What a kernel reads and writes: for each generic, one a global input (None: local), and those of the results."""

    reads: tuple[tuple[Access | None, ...], ...]
    writes: tuple[Access, ...]
    guards: tuple[Condition, ...]
    """What must hold for results to be written: a tile may overhang."""

    def all(self) -> list[Access]:
        return [*(access for reads in self.reads for access in reads if access is not None), *self.writes]

    def conditions(self) -> list[Condition]:
        return [*self.guards, *(condition for access in self.all() for condition in access.conditions)]

    def mapped(self, dims: Sequence[AffineExpr], extents: Sequence[int], symbols: Sequence[Range]) -> "Accesses":
        """The same with other expressions in place of the classes, simplified for their new extents."""

        def changed(expression: AffineExpr) -> AffineExpr:
            return simplify_expression(expression.replace_dims_and_symbols(dims, []), extent_ranges(extents), symbols)

        @cache
        def condition(old: Condition) -> Condition:
            return Condition(changed(old.expression), old.extent)

        @cache
        def access(old: Access) -> Access:
            conditions = tuple(condition(part) for part in old.conditions)
            return replace(old, address=changed(old.address), conditions=conditions)

        return Accesses(
            tuple(tuple(None if old is None else access(old) for old in reads) for reads in self.reads),
            tuple(access(old) for old in self.writes),
            tuple(condition(old) for old in self.guards),
        )


@dataclass(frozen=True)
class ThreadPlan:
    """
    What each thread computes.

    `extents` are those of the classes after merging neighbours (a merged class has extent 1) and splitting; `kept` and
    `inner` the classes left, outermost first. A thread has `width` neighbouring indices of class `vector`, and as
    many of others as `groups` says. `lanes` threads share the inner indices of a point; `step` points lie between them.
    """

    accesses: Accesses
    extents: tuple[int, ...]
    kept: tuple[int, ...]
    inner: tuple[int, ...]
    vector: int | None
    width: int
    groups: Mapping[int, int]
    lanes: int
    step: int

    @property
    def inner_extent(self) -> int:
        return prod(self.extents[number] for number in self.inner)

    @property
    def threads(self) -> int:
        """Iterations of the loop over threads."""
        share = prod(self.groups.values()) * (self.width if self.vector in self.kept else 1)
        return prod(self.extents[number] for number in self.kept) // share * self.lanes


def plan_threads(
    classes: LoopClasses, accesses: Accesses, symbols: Sequence[Range], threads: int, *, indexed: set[int]
) -> ThreadPlan | None:
    """
    A plan, or None where the points of a thread would be too many.

    `indexed` are classes whose index the computation uses.
    """
    alone = _merged(classes, accesses, symbols, indexed, shared=False)
    plan = _Choice(classes, alone, symbols, threads, shared=False).plan()
    if plan is not None and (plan.inner_extent < FEWEST_TO_SHARE or plan.threads >= threads):
        return plan
    together = _merged(classes, accesses, symbols, indexed, shared=True)
    shared = _Choice(classes, together, symbols, threads, shared=True).plan() if len(together.inner) == 1 else None
    return shared or plan


def _merged(
    classes: LoopClasses, accesses: Accesses, symbols: Sequence[Range], indexed: set[int], *, shared: bool
) -> "_Merging":
    merged = _Merging(classes, accesses, symbols, indexed)
    merged.merge(merged.kept)
    if shared:
        merged.merge(merged.inner)
    return merged


class _Merging:
    """Neighbouring classes that all operands walk through as through one become one."""

    def __init__(self, classes: LoopClasses, accesses: Accesses, symbols: Sequence[Range], indexed: set[int]) -> None:
        self.extents = list(classes.extents)
        self.kept = [number for number in classes.kept if classes.extents[number] > 1]
        self.inner = [number for number in classes.inner if classes.extents[number] > 1]
        self.accesses = accesses
        self._symbols = symbols
        self.fixed = indexed.union(*(condition.split.classes for condition in accesses.conditions()))

    def merge(self, order: list[int]) -> None:
        """Merge what can be merged of some classes, outermost first, in place."""
        for position in reversed(range(len(order) - 1)):
            outer, inner = order[position], order[position + 1]
            if self._are_one(outer, inner):
                self.extents[inner] *= self.extents[outer]
                self.extents[outer] = 1
                del order[position]
        dims = [
            AffineExpr.constant(0) if extent == 1 else AffineExpr.dimension(number)
            for number, extent in enumerate(self.extents)
        ]
        self.accesses = self.accesses.mapped(dims, self.extents, self._symbols)

    def _are_one(self, outer: int, inner: int) -> bool:
        if {outer, inner} & self.fixed:
            return False
        for access in self.accesses.all():
            split = access.split
            if not split.is_linear_in(outer) or not split.is_linear_in(inner):
                return False
            if split.linear.get(outer, 0) != split.linear.get(inner, 0) * self.extents[inner]:
                return False
        return True


class _Choice:
    """The choice of vectors, and of points a thread."""

    def __init__(
        self, classes: LoopClasses, merged: _Merging, symbols: Sequence[Range], threads: int, *, shared: bool
    ) -> None:
        self.classes = classes
        self.merged = merged
        self.accesses = merged.accesses
        self.extents = merged.extents
        self._symbols = symbols
        self.shared = shared
        self.threads = threads

    def plan(self) -> ThreadPlan | None:
        vector, width = self._vector()
        kept, inner = self.merged.kept, self.merged.inner
        step = 1
        if self.shared and vector in kept:
            step = self._step(kept, vector, width)
        lanes = WARP // step if self.shared else 1
        plan = ThreadPlan(self.accesses, tuple(self.extents), tuple(kept), tuple(inner), vector, width, {}, lanes, step)
        if lanes > 1:
            return plan
        if plan.inner_extent * width > MOST_UNROLLED:
            return None
        return self._with_groups(plan)

    def _vector(self) -> tuple[int | None, int]:
        """The class along which most operands are vectors, and the width; the classes of the last generic first."""
        best: tuple[int, int, int | None] = (0, 1, None)
        root_inner = set(self.classes.inner_of(len(self.classes.of) - 1))
        for width in WIDTHS:
            for number in (*self.merged.kept, *self.merged.inner):
                if self.extents[number] % width or (number in self.merged.inner and not self.shared):
                    continue
                if not all(guard.holds_for_groups(number, width) for guard in self.accesses.guards):
                    continue
                if self.merged.inner and number in self.merged.inner and number != self.merged.inner[-1]:
                    continue
                score = sum(access.is_vector(number, width) for access in self.accesses.all())
                written = number in self.merged.kept or number in root_inner
                score += sum(access.is_vector(number, width) for access in self.accesses.writes) if written else 0
                if score * width > best[0] * best[1]:
                    best = (score, width, number)
        return (best[2], best[1]) if best[2] is not None else (None, 1)

    def _step(self, kept: Sequence[int], vector: int | None, width: int) -> int:
        """Vectors that lie side by side in a warp: the largest power of two that divides them, up to 128 bytes."""
        last = kept[-1]
        if last != vector:
            return 1
        step = 8
        while (self.extents[last] // width) % step:
            step //= 2
        return step

    def _with_groups(self, plan: ThreadPlan) -> ThreadPlan:
        """Several vectors a thread, if enough threads are left: neighbours that share what they read, or far ones."""
        overlapping = self._overlapping(plan)
        for groups in WINDOW_GROUPS if overlapping else ():
            chosen = {number: group for number, group in zip(overlapping, reversed(groups), strict=False) if group > 1}
            size = prod(chosen.values())
            divides = all(self.extents[number] % group == 0 for number, group in chosen.items())
            if divides and size == prod(groups) and self._leaves_enough(plan, size):
                return replace(plan, groups=chosen)
        for group in GROUPS:
            if self._leaves_enough(plan, group) and (apart := self._apart(plan, group)) is not None:
                return apart
        return plan

    def _leaves_enough(self, plan: ThreadPlan, size: int) -> bool:
        """Whether groups of so many points leave work for most threads, and each a body of reasonable length."""
        return 8 * plan.threads >= 3 * size * self.threads and plan.inner_extent * plan.width * size <= MOST_UNROLLED

    def _overlapping(self, plan: ThreadPlan) -> list[int]:
        """Kept classes whose neighbours read the same elements, as windows that overlap do, the innermost first."""
        guarded = set[int]().union(*(guard.split.classes for guard in self.accesses.guards))
        found: list[int] = []
        for number in reversed(plan.kept):
            if number == plan.vector or number in guarded:
                continue
            if any(_overlaps(access, number, plan.inner, self.extents) for access in self.accesses.all()):
                found.append(number)
        return found

    def _apart(self, plan: ThreadPlan, group: int) -> ThreadPlan | None:
        """A kept class cut into `group` long parts, of each of which a thread has the same index."""
        for number in sorted(plan.kept, key=lambda number: -self.extents[number]):
            unit = plan.width if number == plan.vector else 1
            if number in self.merged.fixed or self.extents[number] % (group * unit):
                continue
            if not all(access.split.is_linear_in(number) for access in self.accesses.all()):
                continue
            part = self.extents[number] // group
            extents = [*self.extents, group]
            extents[number] = part
            new = len(self.extents)
            dims = [AffineExpr.dimension(position) for position in range(new)]
            dims[number] = dims[number] + AffineExpr.dimension(new) * part
            accesses = self.accesses.mapped(dims, extents, self._symbols)
            return replace(plan, accesses=accesses, extents=tuple(extents), kept=(*plan.kept, new), groups={new: group})
        return None


def _overlaps(access: Access, number: int, taps: Sequence[int], extents: Sequence[int]) -> bool:
    """Whether what is read for neighbouring indices of a class is partly the same, at other taps."""
    linear = access.split.linear
    step = linear.get(number, 0)
    return any(
        0 < linear.get(tap, 0) <= step <= linear[tap] * (extents[tap] - 1) and step % linear[tap] == 0 for tap in taps
    )
