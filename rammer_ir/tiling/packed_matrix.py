"""The weight operand of a matrix-vector product, packed into the chunks that its body takes from the weight ring."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import cast

from xdsl.dialects import arith
from xdsl.dialects.builtin import AffineMapAttr, AnyFloat, FloatAttr, IndexType, IntegerAttr, TensorType
from xdsl.ir import Attribute, Block, Region
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects.rop import GenericOp, GetWeightOp, IndexOp, TilingAttr, WeightOp, YieldOp, tensor_type
from rammer_ir.dialects.rtask import MatrixVectorAttr
from rammer_ir.indexing.ranges import extent_ranges
from rammer_ir.indexing.simplify import simplify_map
from rammer_ir.tiling.matrix_vector import MatrixVector
from rammer_ir.tiling.matrix_vector_tiles import PIECE


@dataclass(frozen=True)
class PackedMatrix:
    """
    A weight packed as [batch..., tiles of N, pieces of K, columns, PIECE], zero beyond N and K.

    A chunk is `rows` of K for all `columns` of a tile; the chunks of a task follow one another. `source` is the type of
    the weight, `access` its map in the generic with the given `bounds`.
    """

    source: TensorType[Attribute]
    access: AffineMap
    bounds: tuple[int, ...]
    roles: MatrixVector
    columns: int
    rows: int

    @classmethod
    def of(cls, generic: GenericOp, roles: MatrixVector, tiling: TilingAttr) -> "PackedMatrix":
        columns, rows = tiling.block
        source = tensor_type(generic.inputs[roles.w])
        return cls(source, generic.input_maps[roles.w].data, generic.bounds, roles, columns, rows)

    @cached_property
    def batch(self) -> tuple[int, ...]:
        """Batch loop dimensions on which the weight depends."""
        used = self.access.used_dims()
        return tuple(dim for dim in self.roles.batch if dim in used)

    @property
    def k_extents(self) -> tuple[int, ...]:
        return tuple(self.bounds[dim] for dim in self.roles.k)

    @property
    def chunks(self) -> int:
        """Chunks of a task."""
        return -(-prod(self.k_extents) // self.rows)

    @cached_property
    def type(self) -> TensorType[Attribute]:
        batch = [self.bounds[dim] for dim in self.batch]
        tiles = -(-self.bounds[self.roles.n] // self.columns)
        return TensorType(
            self.source.element_type, [*batch, tiles, self.chunks * self.rows // PIECE, self.columns, PIECE]
        )

    def read_map(self) -> AffineMap:
        """From the generic's loop indices to the packed weight's."""
        n = AffineExpr.dimension(self.roles.n)
        k = AffineExpr.constant(0)
        for dim in self.roles.k:
            k = k * self.bounds[dim] + AffineExpr.dimension(dim)
        batch = [AffineExpr.dimension(dim) for dim in self.batch]
        results = (*batch, n // self.columns, k // PIECE, n % self.columns, k % PIECE)
        return AffineMap(len(self.bounds), 0, results)

    def description(self) -> MatrixVectorAttr:
        """The product as an attribute of the kernel that reads this weight."""
        roles = self.roles
        return MatrixVectorAttr.of(x=roles.x, w=roles.w, m=roles.m, n=roles.n, k=roles.k, chunks=self.chunks)

    def recipe(self, source: str, name: str) -> WeightOp:
        """The weight `name`, derived from the weight `source` by packing."""
        zero = FloatAttr(0.0, cast("AnyFloat", self.source.element_type))
        bounds = self.type.get_shape()
        value = GetWeightOp(source, self.source)
        packed = GenericOp(
            bounds,
            [AffineMapAttr(self.source_map), AffineMapAttr(AffineMap.identity(len(bounds)))],
            [value],
            [self.type],
            Region(self._element(self.source.element_type, zero)),
            pad=[zero],
        )
        return WeightOp(name, self.type, recipe=Region(Block([value, packed, YieldOp(packed)])))

    def _element(self, kind: Attribute, zero: FloatAttr) -> Block:
        """The element read, but zero beyond K: there the map may be in range all the same."""
        element = Block(arg_types=[kind])
        terms = prod(self.k_extents)
        if self.chunks * self.rows == terms:
            element.add_op(YieldOp(element.args[0]))
            return element
        rank = len(self.type.get_shape())
        piece, rest = IndexOp(rank - 3), IndexOp(rank - 1)
        size, end = (arith.ConstantOp(IntegerAttr(number, IndexType())) for number in (PIECE, terms))
        start = arith.MuliOp(piece, size)
        k = arith.AddiOp(start, rest)
        inside = arith.CmpiOp(k, end, "slt")
        nothing = arith.ConstantOp(zero)
        chosen = arith.SelectOp(inside, element.args[0], nothing)
        element.add_ops([piece, rest, size, end, start, k, inside, nothing, chosen, YieldOp(chosen)])
        return element

    @cached_property
    def source_map(self) -> AffineMap:
        """From the packed weight's indices to the source's."""
        bounds = self.type.get_shape()
        rank = len(bounds)
        tile, piece, column, rest = (AffineExpr.dimension(rank - 4 + position) for position in range(4))
        loops: list[AffineExpr] = [AffineExpr.constant(0)] * len(self.bounds)
        for position, dim in enumerate(self.batch):
            loops[dim] = AffineExpr.dimension(position)
        loops[self.roles.n] = tile * self.columns + column
        for dim, index in zip(self.roles.k, _digits(piece * PIECE + rest, self.k_extents), strict=True):
            loops[dim] = index
        composed = self.access.replace_dims_and_symbols(loops, [], rank, 0)
        return simplify_map(composed, extent_ranges(bounds))


def _digits(linear: AffineExpr, extents: Sequence[int]) -> list[AffineExpr]:
    """The row-major index of `linear`; the first digit is not reduced by its own extent."""
    digits: list[AffineExpr] = []
    for extent in reversed(extents[1:]):
        digits.append(linear % extent)
        linear = linear // extent
    return [linear, *reversed(digits)]
