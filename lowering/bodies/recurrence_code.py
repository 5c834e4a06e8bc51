"""Element-wise generics of a recurrence's step: what they read is loaded before it is needed."""

from collections.abc import Sequence
from typing import cast

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, Block, SSAValue
from xdsl.ir.affine import AffineConstantExpr

from rammer_ir.dialects.block import MemorySpace
from rammer_ir.dialects.rop import Combiner, GenericOp
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.generic_code import GenericCode
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.writer import neutral_element
from rammer_ir.lowering.from_block.structure import constant_index
from rammer_ir.tiling.recurrence import mentions_step

Element = tuple[GenericOp, int, tuple[int | None, ...]]
"""An input of a generic at an index of its loops: None stands for the unit."""


def _element(generic: GenericOp, position: int, dims: Sequence[SSAValue]) -> Element:
    return generic, position, tuple(constant_index(dim) for dim in dims)


def element_type(element: Element) -> Attribute:
    """The type of an element."""
    generic, position, _ = element
    return cast("TensorType[Attribute]", generic.inputs[position].type).element_type


class UnitCode(GenericCode):
    """Reads local tensors at constants where maps say so: a task computes all gates, each in a value of its own."""

    def _load(self, generic: GenericOp, position: int, dims: Sequence[SSAValue]) -> SSAValue:
        value, read_map = generic.inputs[position], generic.input_maps[position].data
        if value not in self.local:
            return super()._load(generic, position, dims)
        write, ranges = self.builder.write, self.view.ranges(generic)
        return self.local[value](
            [
                write.index(result.value)
                if isinstance(result, AffineConstantExpr)
                else self.builder.index(result, dims, self.symbols, ranges)
                for result in read_map.results
            ]
        )


class StepCode(UnitCode):
    """Reads elements that are in per-thread arrays of one element from there: `loaded` has them."""

    def __init__(self, view: KernelView, builder: BodyBuilder, symbols: Sequence[SSAValue]) -> None:
        super().__init__(view, builder, symbols)
        self.loaded: dict[Element, SSAValue] = {}

    def read(self, generic: GenericOp, position: int, dims: Sequence[SSAValue]) -> SSAValue:
        array = self.loaded.get(_element(generic, position, dims))
        if array is None:
            return super().read(generic, position, dims)
        return self.builder.write.load(array, self.builder.write.index(0))

    def load(self, element: Element, unit: SSAValue) -> SSAValue:
        """Code that loads an element of a unit."""
        generic, position, dims = element
        write = self.builder.write
        return super().read(generic, position, [unit if dim is None else write.index(dim) for dim in dims])


class ElementFinder(UnitCode):
    """Finds the elements of operands that are read: `elements` has them, in the order of their first use."""

    def __init__(self, view: KernelView, builder: BodyBuilder, symbols: Sequence[SSAValue]) -> None:
        super().__init__(view, builder, symbols)
        self.elements: dict[Element, None] = {}

    def read(self, generic: GenericOp, position: int, dims: Sequence[SSAValue]) -> SSAValue:
        if self.view.read_number(generic.inputs[position]) is None:
            return super().read(generic, position, dims)
        element = _element(generic, position, dims)
        self.elements[element] = None
        return self.builder.write.constant(neutral_element(Combiner.ADD, element_type(element)))

    def discard(self, block: Block) -> None:
        """Erase what was written into a block to find the elements."""
        for op in reversed([*block.ops]):
            op.detach()
            op.erase()


def is_still(view: KernelView, element: Element) -> bool:
    """Whether an element is a weight, and the same in every step."""
    generic, position, _ = element
    number = view.read_number(generic.inputs[position])
    moves = mentions_step(generic.input_maps[position], len(view.kernel.grid))
    return number is not None and view.spaces[number] is MemorySpace.WEIGHTS and not moves
