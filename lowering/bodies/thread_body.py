"""Kernels that are one loop over threads: each has some points, and keeps in registers what generics hand on."""

from dataclasses import dataclass

from rammer_ir.dialects.rop import GenericOp, IndexOp
from rammer_ir.generics.loop_classes import LoopClasses, loop_classes
from rammer_ir.lowering.bodies.kernel_accesses import KernelAccesses
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.thread_plan import MOST_IN_REGISTERS, ThreadPlan, plan_threads


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
            KernelAccesses(view, classes).accesses(),
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
            return not any(self.is_row(generic) for generic in self.view.generics) or self.rounds <= 16
        domains = {self.classes.inner_of(number) for number in range(len(self.view.generics))} - {()}
        if len(domains) > 1:
            return False
        return self.is_in_registers or self._is_one_reduction()

    def has_inner(self, generic: GenericOp) -> bool:
        """Whether a generic has inner indices."""
        return bool(self.classes.inner_of(self.view.generics.index(generic)))

    def is_row(self, generic: GenericOp) -> bool:
        """Whether a generic that reduces nothing has inner indices."""
        return not generic.reduction_dims() and self.has_inner(generic)

    @property
    def is_in_registers(self) -> bool:
        """Whether a lane keeps all its inner indices."""
        return self.rounds * self.inner_width <= MOST_IN_REGISTERS

    def _is_one_reduction(self) -> bool:
        reductions = [generic for generic in self.view.generics if generic.reduction_dims()]
        last = self.view.generics.index(reductions[-1])
        return len(reductions) == 1 and not any(self.is_row(generic) for generic in self.view.generics[last:])

    @property
    def inner_width(self) -> int:
        """Inner indices that lie in one vector."""
        return self.plan.width if self.plan.vector in self.plan.inner else 1

    @property
    def rounds(self) -> int:
        """How many inner indices, or vectors of them, a thread has."""
        return -(-self.plan.inner_extent // (self.plan.lanes * self.inner_width))
