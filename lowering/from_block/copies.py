"""Copies of neighbouring elements, one by one."""

from collections.abc import Iterator, Sequence

from xdsl.builder import Builder
from xdsl.dialects import arith, memref
from xdsl.dialects.builtin import IndexType, IntegerAttr
from xdsl.ir import SSAValue

from rammer_ir.dialects.block import memref_type
from rammer_ir.dialects.rop import Combiner
from rammer_ir.lowering.from_block.combining import neutral_value
from rammer_ir.lowering.from_block.structure import constant_index


def neighbours(builder: Builder, indices: Sequence[SSAValue], count: int, step: int = 1) -> Iterator[list[SSAValue]]:
    """The indices of each `step`-th of `count` elements that follow each other along the last dimension."""
    first = constant_index(indices[-1])
    for element in range(0, count, step):
        if element == 0:
            yield list(indices)
            continue
        place = builder.insert(arith.ConstantOp(IntegerAttr(element + (first or 0), IndexType()))).result
        yield [*indices[:-1], builder.insert(arith.AddiOp(indices[-1], place)).result if first is None else place]


def copy_one_by_one(
    builder: Builder,
    elements: int,
    source: SSAValue,
    source_indices: Sequence[SSAValue],
    target: SSAValue,
    target_indices: Sequence[SSAValue],
) -> None:
    """Insert loads of all elements, then stores."""
    loads = [
        builder.insert(memref.LoadOp.get(source, indices)).res
        for indices in neighbours(builder, source_indices, elements)
    ]
    for value, indices in zip(loads, neighbours(builder, target_indices, elements), strict=True):
        builder.insert(memref.StoreOp.get(value, target, indices))


def fill_with_zeros(builder: Builder, elements: int, target: SSAValue, indices: Sequence[SSAValue]) -> None:
    """Insert stores of zeros into neighbouring elements; raises CompileError for elements that are no numbers."""
    element = memref_type(target).element_type
    zero = builder.insert(neutral_value(Combiner.ADD, element)).result
    for place in neighbours(builder, indices, elements):
        builder.insert(memref.StoreOp.get(zero, target, place))
