"""The table of taps of a contraction: where the rows of K lie in X."""

from dataclasses import dataclass
from math import prod
from typing import cast

from xdsl.builder import Builder
from xdsl.dialects import arith
from xdsl.dialects.builtin import AffineMapAttr, IndexType, IntegerAttr, TensorType, i32
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
)
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects.rop import GenericOp, IndexOp, WeightOp, YieldOp
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.indexing.sums import additive_terms, sum_of
from rammer_ir.locations import location_of, set_location
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.tiling.k_blocks import k_of_row

FIELDS = 4
"""An entry: offset in X, offset of the first checked index, offset of the second, and the number of rows that exist."""


@dataclass(frozen=True)
class TapTable:
    """
    One entry for each chunk of K if the contraction has channels, else for each row of every chunk.

    `fields` are expressions of the entry's number. The table is a weight without sources: its recipe computes it.
    """

    entries: int
    fields: tuple[AffineExpr, ...]

    @classmethod
    def of(cls, view: KernelView, contraction: ContractionAttr, block_k: int) -> "TapTable":
        generic = view.generics[0]
        extents = [generic.bounds[dim] for dim in contraction.k]
        number = AffineExpr.dimension(0)
        if contraction.channels:
            indices = k_of_row(number, AffineExpr.constant(0), extents, block_k, channels=True)
            rows = indices[-1] * -1 + extents[-1]
            entries = contraction.chunks
        else:
            indices = k_of_row(AffineExpr.constant(0), number, extents, block_k, channels=False)
            rows = number * -1 + prod(extents)
            entries = contraction.chunks * block_k
        loops: list[AffineExpr] = [AffineExpr.constant(0)] * len(generic.bounds)
        for dim, index in zip(contraction.k, indices, strict=True):
            loops[dim] = index
        parts = [_of_k(part, contraction, loops) for part in x_parts(view, contraction)]
        return cls(entries, (*parts, *([AffineExpr.constant(0)] * (FIELDS - 1 - len(parts))), rows))

    @property
    def element_type(self) -> Attribute:
        return i32

    @property
    def type(self) -> TensorType[Attribute]:
        return TensorType(i32, [self.entries, FIELDS])

    def insert_before(self, op: Operation, name: str) -> None:
        """Adds the table to the module as a weight called `name`."""
        body = Block()
        builder = Builder(InsertPoint.at_end(body))
        number = builder.insert(IndexOp(0)).result
        column = builder.insert(IndexOp(1)).result
        value = _expression(builder, self.fields[-1], number)
        for position in reversed(range(FIELDS - 1)):
            here = builder.insert(arith.ConstantOp(IntegerAttr(position, IndexType())))
            chosen = builder.insert(arith.CmpiOp(column, here, "eq"))
            field = _expression(builder, self.fields[position], number)
            value = builder.insert(arith.SelectOp(chosen, field, value)).result
        builder.insert(YieldOp(builder.insert(arith.IndexCastOp(value, i32))))
        table = GenericOp([self.entries, FIELDS], [AffineMapAttr(AffineMap.identity(2))], [], [self.type], Region(body))
        weight = WeightOp(name, self.type, recipe=Region(Block([table, YieldOp(table)])))
        set_location(weight, location_of(op))
        Rewriter.insert_op(weight, InsertPoint.before(op))


def x_parts(view: KernelView, contraction: ContractionAttr) -> list[AffineExpr]:
    """The address in X, then its indices in the checked dimensions, of the first generic's loops and symbols."""
    generic = view.generics[0]
    x_map = generic.input_maps[contraction.x].data
    shape = cast("TensorType[Attribute]", generic.inputs[contraction.x].type).get_shape()
    strides = [prod(shape[dim + 1 :]) for dim in range(len(shape))]
    address = sum_of([result * stride for result, stride in zip(x_map.results, strides, strict=True)])
    return [address, *(x_map.results[dim] for dim in contraction.checked)]


def _of_k(expression: AffineExpr, contraction: ContractionAttr, loops: list[AffineExpr]) -> AffineExpr:
    """The terms that depend on the reduced loops, at the given indices of these."""
    reduced = set(contraction.k)
    terms = [term for term in additive_terms(expression) if term.used_dims() & reduced]
    return sum_of(terms).replace_dims_and_symbols(loops, [])


def _expression(builder: Builder, expression: AffineExpr, number: SSAValue) -> SSAValue:
    """The value of an expression of one dimension that is not negative where it is divided."""
    match expression:
        case AffineConstantExpr(value):
            return builder.insert(arith.ConstantOp(IntegerAttr(value, IndexType()))).result
        case AffineDimExpr():
            return number
        case AffineBinaryOpExpr(kind, lhs, rhs):
            left, right = _expression(builder, lhs, number), _expression(builder, rhs, number)
            ops = {
                AffineBinaryOpKind.Add: arith.AddiOp,
                AffineBinaryOpKind.Mul: arith.MuliOp,
                AffineBinaryOpKind.Mod: arith.RemSIOp,
                AffineBinaryOpKind.FloorDiv: arith.FloorDivSIOp,
            }
            return builder.insert(ops[kind](left, right)).result
        case _:
            raise ValueError(f"not an affine expression: {expression}")
