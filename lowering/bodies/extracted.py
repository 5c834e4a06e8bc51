"""Code for `rop.extract`: reads of a kernel's operands at indices that are computed."""

from collections.abc import Callable, Mapping

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerAttr
from xdsl.ir import SSAValue

from rammer_ir.dialects.rop import ExtractOp, GenericOp, IndexOp
from rammer_ir.indexing.ranges import Range
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.kernel_view import KernelView


def load_extracted(
    op: ExtractOp,
    values: Mapping[SSAValue, SSAValue],
    view: KernelView,
    builder: BodyBuilder,
    parameter: Callable[[int], SSAValue],
) -> SSAValue:
    """
    The element that an op of a generic's body reads.

    `values` are those of the body so far, `parameter` gives a parameter of the body with a value.
    """
    write = builder.write
    number = view.read_number(op.tensor)
    assert number is not None, "a kernel extracts elements of the tensors that it reads"
    address: SSAValue | None = None
    for index, extent in zip(op.indices, op.shape, strict=True):
        if extent == 1:
            continue
        value = values[index]
        known = _index_range(index, view)
        if known is None or known.low < 0:
            value = write.add(arith.MaxSIOp(value, write.index(0))).result
        if known is None or known.high >= extent:
            value = write.add(arith.MinSIOp(value, parameter(extent - 1))).result
        address = value if address is None else write.plus(write.times(address, parameter(extent)), value)
    return write.load(builder.operand(number), write.index(0) if address is None else address)


def _index_range(index: SSAValue, view: KernelView) -> Range | None:
    """The values that an index of a body can have, where that is known: of loops, coordinates and their sums."""
    coordinates = view.kernel.region.block.args[: len(view.symbol_ranges)]
    if index in coordinates:
        return view.symbol_ranges[coordinates.index(index)]
    match index.owner:
        case IndexOp() as op:
            generic = op.parent_op()
            assert isinstance(generic, GenericOp)
            return Range(0, generic.bounds[op.dim.value.data] - 1)
        case arith.ConstantOp(value=IntegerAttr(value=number, type=IndexType())):
            return Range(number.data, number.data)
        case arith.AddiOp() | arith.MuliOp() as op:
            left, right = _index_range(op.lhs, view), _index_range(op.rhs, view)
            if left is None or right is None:
                return None
            if isinstance(op, arith.AddiOp):
                return Range(left.low + right.low, left.high + right.high)
            products = [a * b for a in left for b in right]
            return Range(min(products), max(products))
        case _:
            return None
