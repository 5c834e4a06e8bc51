"""Bodies of recurrences: weights stay from step to step, vectors are staged as they come, lanes share a unit."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import cast

from xdsl.dialects.builtin import FloatAttr, f32
from xdsl.ir import Block, OpResult, SSAValue
from xdsl.ir.affine import AffineDimExpr

from rammer_ir.dialects.block import BarrierOp, BodyOp, MemorySpace, StepsOp, YieldOp
from rammer_ir.dialects.rop import GenericOp
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.generic_code import GenericCode, Reader
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.recurrence_code import Element, ElementFinder, StepCode, element_type, is_still
from rammer_ir.lowering.bodies.recurrence_product import ProductCode
from rammer_ir.lowering.bodies.recurrence_units import UnitLoops
from rammer_ir.lowering.from_block.structure import constant_index
from rammer_ir.tiling.added_products import added_products
from rammer_ir.tiling.recurrence import Product, Step


class RecurrenceBody:
    """
    Writes the body of one step of a recurrence.

    The threads of a unit, its lanes, share its sums: each takes pieces of the vectors in turn, for all gates; the first
    one then computes the rest. Products of vectors that no earlier step writes are a step ahead: their vectors come
    together with the states before, and they are computed while the new states are on their way to others. `own_reads`
    are the numbers of the operands that the run itself writes.
    """

    def __init__(self, view: KernelView, step: Step, builder: BodyBuilder, own_reads: AbstractSet[int]) -> None:
        self.view = view
        self.step = step
        self.builder = builder
        self.coordinates = builder.coordinates(view.kernel.grid)
        self.units = UnitLoops(view, step, builder)
        self.products: dict[GenericOp, ProductCode] = {}
        added = added_products(step)
        is_ahead = {
            product.generic: view.read_number(product.generic.inputs[product.x]) not in own_reads
            for product in step.products
        }
        for product in sorted(step.products, key=lambda product: not is_ahead[product.generic]):
            other = added.get(product.generic)
            self.products[product.generic] = ProductCode(
                self.units, product, self.products.get(other) if other else None
            )
        self.ahead = [code for code in self.products.values() if is_ahead[code.generic]]
        self.own = [code for code in self.products.values() if not is_ahead[code.generic]]

    def build(self) -> BodyOp:
        write, first = self.builder.write, self.builder.iteration
        still = StepCode(self.view, self.builder, self._symbols(first))
        for product in self.products.values():
            product.prepare(still)
        arrays = {
            element: write.allocate([1], element_type(element), MemorySpace.THREAD) for element in self._elements()
        }
        moving = {element: array for element, array in arrays.items() if not is_still(self.view, element)}
        self._load_elements(still, {element: arrays[element] for element in arrays if element not in moving})
        self._stage(self.ahead, first)
        write.add(BarrierOp())
        for product in self.ahead:
            product.multiply(first)
        steps = write.add(StepsOp())
        with write.inside(steps.body.block):
            self._write_step(steps, arrays, moving)
            write.add(YieldOp())
        return self.builder.finish("recurrence")

    def _symbols(self, step: SSAValue) -> list[SSAValue]:
        return [*self.coordinates, *([step] * self.view.kernel.loops)]

    def _write_step(
        self, steps: StepsOp, arrays: Mapping[Element, SSAValue], moving: Mapping[Element, SSAValue]
    ) -> None:
        write, step = self.builder.write, steps.index
        code = StepCode(self.view, self.builder, self._symbols(step))
        code.loaded = dict(arrays)
        following = write.plus(step, write.index(1))
        goes_on = write.less(following, steps.end)
        self._stage(self.own, step)
        with write.when(goes_on):
            self._stage(self.ahead, following)
        write.add(BarrierOp())
        self._load_elements(code, moving)
        for product in self.own:
            product.multiply(step)
        self._update(code)
        with write.when(goes_on):
            for product in self.ahead:
                product.multiply(following)

    def _stage(self, products: Sequence[ProductCode], step: SSAValue) -> None:
        code = StepCode(self.view, self.builder, self._symbols(step))
        for product in products:
            product.stage(code, step)

    def _elements(self) -> list[Element]:
        """What element-wise generics read of the kernel's operands, for one unit."""
        write, aside = self.builder.write, Block()
        with write.inside(aside):
            finder = ElementFinder(self.view, self.builder, self._symbols(write.index(0)))
            zero = write.constant(FloatAttr(0.0, f32))
            for vector in self.units.vectors():
                totals = {product: [zero] * product.gates for product in self.products.values()}
                self._evaluate(finder, totals, self.builder.task, vector)
        finder.discard(aside)
        return list(finder.elements)

    def _load_elements(self, code: StepCode, arrays: Mapping[Element, SSAValue]) -> None:
        """The first lane of each unit loads elements."""
        write = self.builder.write
        with self.units.threads() as thread, write.when(self.units.is_first_lane(code, thread)):
            unit, _ = self.units.place(thread)
            for element, array in arrays.items():
                write.store(code.load(element, unit), array, write.index(0))

    def _update(self, code: StepCode) -> None:
        """Lanes add up their sums; the first one computes what follows, and writes it."""
        write = self.builder.write
        with self.units.threads() as thread:
            unit, _ = self.units.place(thread)
            totals = {product: product.totals() for product in self.products.values()}
            with write.when(self.units.is_first_lane(code, thread)):
                for number, vector in enumerate(self.units.vectors()):
                    of_vector = {product: rows[number] for product, rows in totals.items()}
                    self._write_results(code, self._evaluate(code, of_vector, unit, vector), unit, vector)

    def _evaluate(
        self, code: GenericCode, totals: Mapping[ProductCode, Sequence[SSAValue]], unit: SSAValue, vector: Sequence[int]
    ) -> list[SSAValue]:
        """What the root yields for a unit and a vector, of which the sums of all products are given."""
        for product, values in totals.items():
            code.local[product.generic.res[0]] = _reader(product.product, values)
        for generic in self.view.generics[:-1]:
            if generic not in self.products:
                code.local[generic.res[0]] = code.evaluate_in_place(cast("OpResult", generic.res[0]))
        return code.evaluate(self.step.root, self.units.dims(self.step.root, unit, vector))

    def _write_results(
        self, code: GenericCode, values: Sequence[SSAValue], unit: SSAValue, vector: Sequence[int]
    ) -> None:
        root = self.step.root
        dims = self.units.dims(root, unit, vector)
        for value, written, map_attr in zip(values, root.res, root.output_maps, strict=True):
            address = code.address(root, map_attr.data, written.type, dims)
            self.builder.write.store(value, self._target(written), address)

    def _target(self, value: OpResult) -> SSAValue:
        written = self.view.kernel.written_arguments
        number = next(i for i, argument in enumerate(written) if argument is self.step.root.into[value.index])
        return self.builder.operand(len(self.view.kernel.reads) + number)


def _reader(product: Product, totals: Sequence[SSAValue]) -> Reader:
    """Reads a product's results of one unit and vector: by the gates, which are read at constants."""
    extents = [product.generic.bounds[dim] for dim in product.gates]
    written = product.generic.output_maps[0].data.results
    places = [written.index(AffineDimExpr(dim)) for dim in product.gates]

    def element(indices: Sequence[SSAValue]) -> SSAValue:
        number = 0
        for place, extent in zip(places, extents, strict=True):
            index = constant_index(indices[place])
            assert index is not None, "gates are read at constants"
            number = number * extent + index
        return totals[number]

    return element
