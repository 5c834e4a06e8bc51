"""What a kernel reads and writes, in terms of its loop classes."""

from collections.abc import Sequence
from typing import cast

from xdsl.dialects.builtin import FloatAttr, IntegerAttr, TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects.rop import GenericOp, tensor_type
from rammer_ir.generics.loop_classes import LoopClasses
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.generic_code import GenericCode
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.point_access import Access, Condition, address_of, in_classes
from rammer_ir.lowering.bodies.thread_plan import Accesses


class KernelAccesses:
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
