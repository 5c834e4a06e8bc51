"""Which thread has which unit in a body of a recurrence."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import product as combinations

from xdsl.ir import SSAValue

from rammer_ir.dialects.block import Level
from rammer_ir.dialects.rop import GenericOp
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.generic_code import GenericCode
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.loop_correspondence import corresponding_loops
from rammer_ir.tiling.recurrence import Step
from rammer_ir.tiling.recurrence_plan import lanes_of


class UnitLoops:
    """The units of a task, each with a number of threads, its lanes."""

    def __init__(self, view: KernelView, step: Step, builder: BodyBuilder) -> None:
        self.view = view
        self.step = step
        self.builder = builder
        self.lanes = lanes_of(view.tiling.threads, step.units)

    @contextmanager
    def threads(self) -> Generator[SSAValue]:
        """A loop over all threads; gives the thread."""
        with self.builder.write.parallel(Level.THREAD, self.builder.write.index(self.view.tiling.threads)) as thread:
            yield thread

    def place(self, thread: SSAValue) -> tuple[SSAValue, SSAValue]:
        """The unit of a thread in the tile, which may not exist, and its lane."""
        write, lanes = self.builder.write, self.builder.write.index(self.lanes)
        return write.divide(thread, lanes), write.modulo(thread, lanes)

    def vectors(self) -> list[tuple[int, ...]]:
        """The indices of the root's loops, but for the unit's, for each vector."""
        bounds = [bound for dim, bound in enumerate(self.step.root.bounds) if dim != self.step.unit]
        return list(combinations(*(range(bound) for bound in bounds)))

    def dims(self, generic: GenericOp, unit: SSAValue, vector: Sequence[int] | None = None) -> list[SSAValue]:
        """Loop indices of a generic for a unit and a vector, the first unless given; 0 in loops of its own."""
        write, root = self.builder.write, self.step.root
        others = iter(self.vectors()[0] if vector is None else vector)
        loops = [unit if dim == self.step.unit else write.index(next(others)) for dim in range(len(root.bounds))]
        ordered = [root, *(other for other in self.view.generics if other is not root)]
        return corresponding_loops(ordered, generic, loops, write.index(0))

    def exists(self, code: GenericCode, unit: SSAValue) -> list[SSAValue]:
        """Whether there is a unit: threads may be more than the tile needs, and the last tile may overhang."""
        write, root = self.builder.write, self.step.root
        dims = self.dims(root, unit)
        conditions = [write.less(unit, write.index(self.step.units))]
        for value, map_attr in zip(root.res, root.output_maps, strict=True):
            conditions += code.in_range(root, map_attr.data, value.type, dims)
        return conditions

    def is_first_lane(self, code: GenericCode, thread: SSAValue) -> SSAValue:
        """Whether a thread is the one of a unit that computes what its sums are for."""
        write = self.builder.write
        unit, lane = self.place(thread)
        return write.all_of([write.less(lane, write.index(1)), *self.exists(code, unit)])
