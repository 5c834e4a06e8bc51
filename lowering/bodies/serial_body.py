"""The body of a kernel of any generics for one core: see `convert-generic-to-loops` for its plan."""

from collections.abc import Sequence
from math import prod
from typing import cast

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, OpResult, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.block import BodyOp, Level, MemorySpace
from rammer_ir.dialects.rop import GenericOp, tensor_type
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.combining import combine
from rammer_ir.lowering.bodies.generic_code import GenericCode, is_element_wise
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.loop_nest import LoopNest, Point
from rammer_ir.lowering.bodies.serial_loops import SerialLoops
from rammer_ir.lowering.bodies.writer import neutral_element

Limits = list[tuple[AffineExpr, int]]
"""Expressions of a generic's loops, each below an extent."""


class SerialBody:
    """Writes the body of one kernel, generic by generic."""

    def __init__(self, view: KernelView, builder: BodyBuilder) -> None:
        self.view = view
        self.builder = builder
        self.write = builder.write
        symbols = [*builder.coordinates(view.kernel.grid), *([builder.iteration] * view.kernel.loops)]
        self.code = GenericCode(view, builder, symbols)

    def build(self) -> BodyOp:
        for generic in self.view.generics:
            if _is_used_once(generic):
                self.code.local[generic.res[0]] = self.code.evaluate_in_place(cast("OpResult", generic.res[0]))
            else:
                self._write_generic(generic)
        return self.builder.finish("generic")

    def _write_generic(self, generic: GenericOp) -> None:
        """The loops of a generic: one nest for the results that are reduced over the same loops of it."""
        targets = [self._target(value) for value in generic.res]
        groups: dict[tuple[int, ...], list[int]] = {}
        for result in range(len(generic.res)):
            groups.setdefault(generic.reduction_dims(result), []).append(result)
        for numbers in groups.values():
            results = [(number, targets[number]) for number in numbers]
            loops = SerialLoops.of(self.view, generic, numbers)
            limits = self.code.limits(generic, generic.reduction_dims(numbers[0]))
            if not loops.reduced:
                self._write_elements(generic, loops, limits, results)
            elif loops.reduces_vectors:
                self._write_reductions(generic, loops, limits, results)
            else:
                self._write_running_totals(generic, loops, limits, results)

    def _target(self, value: SSAValue) -> SSAValue:
        """Where a result goes: the operand it is written into, or scratch memory that later generics read."""
        result = cast("OpResult", value)
        generic = cast("GenericOp", result.op)
        if generic.into:
            written = self.view.kernel.written_arguments
            number = next(i for i, argument in enumerate(written) if argument is generic.into[result.index])
            return self.builder.operand(len(self.view.kernel.reads) + number)
        tensor = cast("TensorType[Attribute]", value.type)
        array = self.write.allocate([prod(tensor.get_shape())], tensor.element_type, MemorySpace.SHARED)
        self.code.local[value] = lambda indices: self.write.load(array, self._row_major(indices, tensor.get_shape()))
        return array

    def _row_major(self, indices: Sequence[SSAValue], shape: Sequence[int]) -> SSAValue:
        address = self.write.index(0)
        for index, extent in zip(indices, shape, strict=True):
            if extent > 1:
                address = self.write.plus(self.write.times(address, self.write.index(extent)), index)
        return address

    def _start(self, generic: GenericOp) -> list[SSAValue]:
        return [self.write.index(0)] * len(generic.bounds)

    def _store(
        self, generic: GenericOp, point: Point, values: Sequence[SSAValue], results: Sequence[tuple[int, SSAValue]]
    ) -> None:
        for value, (number, target) in zip(values, results, strict=True):
            place = self.code.address(generic, generic.output_maps[number].data, generic.res[number].type, point)
            self.write.store(value, target, place)

    def _write_elements(
        self, generic: GenericOp, loops: SerialLoops, limits: Limits, results: Sequence[tuple[int, SSAValue]]
    ) -> None:
        def element(point: Point) -> None:
            values = self.code.evaluate(generic, point)
            self._store(generic, point, [values[number] for number, _ in results], results)

        LoopNest(self.code, generic, loops.kept, limits, Level.THREAD).write(self._start(generic), element)

    def _write_reductions(
        self, generic: GenericOp, loops: SerialLoops, limits: Limits, results: Sequence[tuple[int, SSAValue]]
    ) -> None:
        """Each result at once: neighbours of the innermost reduced loop are combined in any order."""

        def element(point: Point) -> None:
            totals = [self._reduced(generic, number, loops.reduced, point) for number, _ in results]
            self._store(generic, point, totals, results)

        if loops.kept:
            LoopNest(self.code, generic, loops.kept, limits, Level.WARP).write(self._start(generic), element)
        else:
            with self.write.parallel(Level.WARP, self.write.index(1)):
                LoopNest(self.code, generic, (), limits).write(self._start(generic), element)

    def _reduced(self, generic: GenericOp, number: int, loops: Sequence[int], point: Point) -> SSAValue:
        """A result, reduced over some loops."""
        dim, *inner = loops
        combiner, kind = generic.combiners[number], tensor_type(generic.res[number]).element_type
        extent = self.builder.parameter(generic.bounds[dim])

        def at(index: SSAValue) -> list[SSAValue]:
            return [index if position == dim else value for position, value in enumerate(point)]

        if not inner:
            return self.write.warp_reduce(
                combiner, extent, kind, lambda index: self.code.evaluate(generic, at(index))[number]
            )
        start = [self.write.constant(neutral_element(combiner, kind))]

        def step(index: SSAValue, totals: Sequence[SSAValue]) -> list[SSAValue]:
            return [combine(self.write, combiner, totals[0], self._reduced(generic, number, inner, at(index)))]

        return self.write.loop_carrying(extent, start, step)[0]

    def _write_running_totals(
        self, generic: GenericOp, loops: SerialLoops, limits: Limits, results: Sequence[tuple[int, SSAValue]]
    ) -> None:
        """The results along the innermost kept loop together: their totals run in scratch memory."""
        *outer, inner = loops.kept
        kinds = [tensor_type(generic.res[number]).element_type for number, _ in results]
        totals = [self.write.allocate([generic.bounds[inner]], kind, MemorySpace.SHARED) for kind in kinds]
        of_inner = [limit for limit in limits if inner in limit[0].used_dims()]
        others = [limit for limit in limits if limit not in of_inner]
        row = LoopNest(self.code, generic, (inner,), of_inner, Level.THREAD)

        def start(point: Point) -> None:
            for total, (number, _), kind in zip(totals, results, kinds, strict=True):
                neutral = self.write.constant(neutral_element(generic.combiners[number], kind))
                self.write.store(neutral, total, point[inner])

        def add(point: Point) -> None:
            values = self.code.evaluate(generic, point)
            for total, (number, _) in zip(totals, results, strict=True):
                before = self.write.load(total, point[inner])
                after = combine(self.write, generic.combiners[number], before, values[number])
                self.write.store(after, total, point[inner])

        def finish(point: Point) -> None:
            self._store(generic, point, [self.write.load(total, point[inner]) for total in totals], results)

        def write_row(point: Point) -> None:
            row.write(point, start)
            LoopNest(self.code, generic, loops.reduced, ()).write(point, lambda inside: row.write(inside, add))
            row.write(point, finish)

        LoopNest(self.code, generic, outer, others).write(self._start(generic), write_row)


def _is_used_once(generic: GenericOp) -> bool:
    """Whether it is computed where it is used: element by element, by one other generic."""
    if generic.into or not is_element_wise(generic):
        return False
    uses = list(generic.res[0].uses)
    return len(uses) == 1 and isinstance(uses[0].operation, GenericOp)
