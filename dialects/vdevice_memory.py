"""The memory of a program: buffers in its arena, weights, and boxes of weights kept in shared memory."""

from collections.abc import Sequence

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    IntegerAttr,
    MemRefType,
    NoneAttr,
    StringAttr,
    SymbolRefAttr,
    i64,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.block import memref_type
from rammer_ir.dialects.integers import integer, optional_integer
from rammer_ir.dialects.rtask_attributes import BoxAttr
from rammer_ir.dialects.vdevice_launch import verify_inside_launch, verify_outside_launches


@irdl_op_definition
class BufferOp(IRDLOperation):
    """
    Memory for an intermediate tensor, in the arena of the program; `offset` is set when memory is planned.

    In memory space "words" every element takes 8 bytes, value and epoch, and is written at most once a launch.

    Example: `%b = vdevice.buffer offset 4096 : memref<1x64x32x32xf32, "global">`
    """

    name = "vdevice.buffer"
    offset_ = opt_prop_def(IntegerAttr.constr(i64), prop_name="offset")
    result = result_def(MemRefType)
    assembly_format = "(`offset` $offset^)? attr-dict `:` type($result)"

    def __init__(self, memref: Attribute, offset: int | None = None) -> None:
        super().__init__(properties={"offset": optional_integer(offset)}, result_types=[memref])

    @property
    def offset(self) -> int | None:
        """Bytes from the start of the arena."""
        return None if self.offset_ is None else self.offset_.value.data

    @offset.setter
    def offset(self, value: int) -> None:
        self.offset_ = integer(value)

    def verify_(self) -> None:
        if self.offset is not None and self.offset < 0:
            raise VerifyException(f"a buffer's offset must not be negative, got {self.offset}")
        _verify_space(self.result, ("global", "words"), "a buffer")
        _verify_static(self.result, "a buffer")
        verify_outside_launches(self)


@irdl_op_definition
class WeightOp(IRDLOperation):
    """
    A weight (`rop.weight`) as memory that is read-only for the whole launch.

    Example: `%w = vdevice.weight @filter : memref<64x3xf32, "weights">`
    """

    name = "vdevice.weight"
    weight = prop_def(SymbolRefAttr)
    result = result_def(MemRefType)
    assembly_format = "$weight attr-dict `:` type($result)"

    def __init__(self, weight: str, memref: Attribute) -> None:
        super().__init__(properties={"weight": SymbolRefAttr(weight)}, result_types=[memref])

    def verify_(self) -> None:
        _verify_space(self.result, ("weights",), "a weight")
        _verify_static(self.result, "a weight")
        verify_outside_launches(self)


def _verify_space(value: SSAValue, allowed: Sequence[str], what: str) -> None:
    space = memref_type(value).memory_space
    if not isinstance(space, StringAttr) or space.data not in allowed:
        raise VerifyException(f"{what} lies in memory space {' or '.join(allowed)}, not {space}")


def _verify_static(value: SSAValue, what: str) -> None:
    if DYNAMIC_INDEX in memref_type(value).get_shape():
        raise VerifyException(f"{what} has a static shape, not that of {value.type}")


@irdl_op_definition
class PinOp(IRDLOperation):
    """
    Keeps a box of a weight in the shared memory of each vEU of the group, for the whole launch.

    The box maps the vEU's number in the group to what it keeps: densely, row-major, in a memref of the box's shape. A
    kernel that takes the pinned memref reads, by its box, what its vEU has.

    Example (each of 13 vEUs keeps 20 units' rows):
    ```mlir
    %p = vdevice.pin %w box <(p) -> (0, p * 20, 0) by [4, 20, 512]> :
        memref<4x260x512xf32, "weights"> -> memref<4x20x512xf32, "pinned">
    ```
    """

    name = "vdevice.pin"
    weight = operand_def(MemRefType)
    box = prop_def(BoxAttr)
    result = result_def(MemRefType)
    assembly_format = "$weight `box` $box attr-dict `:` type($weight) `->` type($result)"

    def __init__(self, weight: SSAValue | Operation, box: BoxAttr) -> None:
        source = memref_type(SSAValue.get(weight))
        pinned = MemRefType(source.element_type, box.sizes, NoneAttr(), StringAttr("pinned"))
        super().__init__(operands=[weight], properties={"box": box}, result_types=[pinned])

    def verify_(self) -> None:
        verify_inside_launch(self)
        _verify_space(self.weight, ("weights",), "what is pinned")
        _verify_space(self.result, ("pinned",), "a pinned weight")
        source, pinned = memref_type(self.weight), memref_type(self.result)
        origin = self.box.origin.data
        if (origin.num_dims, origin.num_symbols) != (1, 0) or len(origin.results) != source.get_num_dims():
            raise VerifyException(f"the box of a pin maps the vEU's number to an origin in {source}")
        if pinned.get_shape() != self.box.sizes or pinned.element_type != source.element_type:
            raise VerifyException(f"a pin of {list(self.box.sizes)} elements does not give {pinned}")
