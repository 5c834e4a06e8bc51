"""The weight operand of a contraction, packed into the chunks that its body takes from the weight ring."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import cast

from xdsl.dialects.builtin import AffineMapAttr, AnyFloat, FloatAttr, TensorType
from xdsl.ir import Attribute, Block, Region
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects.rop import GenericOp, GetWeightOp, TilingAttr, WeightOp, YieldOp, tensor_type
from rammer_ir.dialects.rop_attributes import Arithmetic
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.indexing.ranges import extent_ranges
from rammer_ir.indexing.simplify import simplify_map
from rammer_ir.tiling.contraction import Contraction
from rammer_ir.tiling.k_blocks import block_of_k, blocks_of_a_tap, k_of_row
from rammer_ir.tiling.mma_fragments import fragment_shape, place_in_fragments, rounded_to_tf32, row_and_column


@dataclass(frozen=True)
class PackedWeight:
    """
    A weight packed as [batch..., blocks of N, blocks of K, block_k, block_n], zero beyond N and K.

    A chunk, the last two dimensions, is contiguous; the chunks of a task follow one another. `source` is the type of
    the weight, `access` its map in the generic with the given `bounds`. For tensor cores (`arithmetic`), a chunk is
    arranged as [block_k / 16, block_n / 8, 8, 4, 4]: a lane reads four neighbours along K, of one column, at once. They
    are rounded to what the products take of them, unless these take parts.
    """

    source: TensorType[Attribute]
    access: AffineMap
    bounds: tuple[int, ...]
    contraction: Contraction
    block_n: int
    block_k: int
    arithmetic: Arithmetic = Arithmetic.FP32

    @classmethod
    def of(cls, generic: GenericOp, contraction: Contraction, tiling: TilingAttr) -> "PackedWeight":
        _, block_n, block_k = tiling.block
        source = tensor_type(generic.inputs[contraction.w])
        access = generic.input_maps[contraction.w].data
        return cls(source, access, generic.bounds, contraction, block_n, block_k, tiling.arithmetic)

    @cached_property
    def batch(self) -> tuple[int, ...]:
        """Batch loop dimensions on which the weight depends."""
        used = self.access.used_dims()
        return tuple(dim for dim in self.contraction.batch if dim in used)

    @property
    def k_extents(self) -> tuple[int, ...]:
        return tuple(self.bounds[dim] for dim in self.contraction.k)

    @property
    def k_blocks(self) -> int:
        """Chunks of a task: blocks of K, each of one tap where the contraction has channels."""
        if not self.contraction.channels:
            return -(-prod(self.k_extents) // self.block_k)
        return prod(self.k_extents[:-1]) * blocks_of_a_tap(self.k_extents, self.block_k)

    @property
    def n_blocks(self) -> int:
        return -(-self.bounds[self.contraction.n] // self.block_n)

    @cached_property
    def type(self) -> TensorType[Attribute]:
        batch = [self.bounds[dim] for dim in self.batch]
        return TensorType(self.source.element_type, [*batch, self.n_blocks, self.k_blocks, *self.chunk_shape])

    @property
    def chunk_shape(self) -> list[int]:
        if self.arithmetic is Arithmetic.FP32:
            return [self.block_k, self.block_n]
        return fragment_shape(self.block_k, self.block_n)

    def read_map(self) -> AffineMap:
        """From the generic's loop indices to the packed weight's."""
        n = AffineExpr.dimension(self.contraction.n)
        k = [AffineExpr.dimension(dim) for dim in self.contraction.k]
        block, rest = block_of_k(k, self.k_extents, self.block_k, channels=self.contraction.channels)
        batch = [AffineExpr.dimension(dim) for dim in self.batch]
        column = n % self.block_n
        place = (rest, column) if self.arithmetic is Arithmetic.FP32 else place_in_fragments(rest, column)
        return AffineMap(len(self.bounds), 0, (*batch, n // self.block_n, block, *place))

    def description(self) -> ContractionAttr:
        """The contraction as an attribute of the kernel that reads this weight."""
        roles = self.contraction
        return ContractionAttr.of(
            x=roles.x,
            w=roles.w,
            m=roles.m,
            n=roles.n,
            k=roles.k,
            checked=roles.checked,
            channels=roles.channels,
            chunks=self.k_blocks,
        )

    def recipe(self, source: str, name: str) -> WeightOp:
        """The weight `name`, derived from the weight `source` by packing."""
        bounds = self.type.get_shape()
        value = GetWeightOp(source, self.source)
        element = Block(arg_types=[self.source.element_type])
        is_rounded = self.arithmetic is Arithmetic.TF32
        element.add_op(YieldOp(rounded_to_tf32(element) if is_rounded else element.args[0]))
        zero = FloatAttr(0.0, cast("AnyFloat", self.source.element_type))
        packed = GenericOp(
            bounds,
            [AffineMapAttr(self.source_map), AffineMapAttr(AffineMap.identity(len(bounds)))],
            [value],
            [self.type],
            Region(element),
            pad=[zero],
        )
        return WeightOp(name, self.type, recipe=Region(Block([value, packed, YieldOp(packed)])))

    @cached_property
    def source_map(self) -> AffineMap:
        """From the packed weight's indices to the source's."""
        bounds = self.type.get_shape()
        rank = len(bounds)
        n_block, k_block, *place = (AffineExpr.dimension(dim) for dim in range(len(self.batch), rank))
        k_rest, n_rest = place if self.arithmetic is Arithmetic.FP32 else row_and_column(place)
        loops: list[AffineExpr] = [AffineExpr.constant(0)] * len(self.bounds)
        for position, dim in enumerate(self.batch):
            loops[dim] = AffineExpr.dimension(position)
        loops[self.contraction.n] = n_block * self.block_n + n_rest
        k = k_of_row(k_block, k_rest, self.k_extents, self.block_k, channels=self.contraction.channels)
        for dim, expression in zip(self.contraction.k, k, strict=True):
            loops[dim] = expression
        composed = self.access.replace_dims_and_symbols(loops, [], rank, 0)
        return simplify_map(composed, extent_ranges(bounds))
