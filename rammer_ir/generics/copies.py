"""Building generics that copy or fill."""

from collections.abc import Sequence
from typing import cast

from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import AffineMapAttr, AnyFloat, FloatAttr, IntegerAttr, IntegerType, TensorType
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.ir.affine import AffineMap, AffineSymExpr

from rammer_ir.dialects.rop import GenericOp, YieldOp


def copy_generic(
    bounds: Sequence[int],
    source: SSAValue,
    read: AffineMap,
    write: AffineMap,
    result: Attribute,
    *,
    into: SSAValue | None = None,
    at: Sequence[SSAValue] = (),
) -> GenericOp:
    """
    A generic that writes the source's element at `read(index)` to the place `write(index)`, for every loop index.

    The maps' symbols stand for `at`; if they use none, the generic has none.
    """
    expressions = (part for result in (*read.results, *write.results) for part in result.dfs())
    symbols = at if any(isinstance(part, AffineSymExpr) for part in expressions) else ()
    block = Block(arg_types=[cast("TensorType[Attribute]", source.type).element_type])
    block.add_op(YieldOp(block.args[0]))
    return GenericOp(
        bounds,
        [AffineMapAttr(AffineMap(len(bounds), len(symbols), each.results)) for each in (read, write)],
        [source],
        [result],
        Region(block),
        into=[] if into is None else [into],
        at=symbols,
    )


def zero_generic(result: TensorType[Attribute]) -> GenericOp:
    """A generic that fills a tensor of numbers with zeros."""
    constant = _zero(result.element_type)
    block = Block([constant, YieldOp(constant)])
    shape = result.get_shape()
    return GenericOp(shape, [AffineMapAttr(AffineMap.identity(len(shape)))], [], [result], Region(block))


def _zero(element: Attribute) -> ConstantOp:
    if isinstance(element, IntegerType):
        return ConstantOp(IntegerAttr(0, cast("IntegerType", element)))
    return ConstantOp(FloatAttr(0.0, cast("AnyFloat", element)))
