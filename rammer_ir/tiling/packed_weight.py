"""The weight operand of a contraction, packed into the chunks that its body takes from the weight ring."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import cast

from xdsl.dialects.builtin import AffineMapAttr, AnyFloat, FloatAttr, TensorType
from xdsl.ir import Attribute, Block, Region
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects.rop import GenericOp, GetWeightOp, TilingAttr, WeightOp, YieldOp, tensor_type
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.indexing.ranges import extent_ranges
from rammer_ir.indexing.simplify import simplify_map
from rammer_ir.tiling.contraction import Contraction
from rammer_ir.tiling.k_blocks import block_of_k, blocks_of_a_tap, k_of_row


@dataclass(frozen=True)
class PackedWeight:
    """
    A weight packed as [batch..., blocks of N, blocks of K, block_k, block_n], zero beyond N and K.

    A chunk, the last two dimensions, is contiguous; the chunks of a task follow one another. `source` is the type of
    the weight, `access` its map in the generic with the given `bounds`.
    """

    source: TensorType[Attribute]
    access: AffineMap
    bounds: tuple[int, ...]
    contraction: Contraction
    block_n: int
    block_k: int

    @classmethod
    def of(cls, generic: GenericOp, contraction: Contraction, tiling: TilingAttr) -> "PackedWeight":
        _, block_n, block_k = tiling.block
        source = tensor_type(generic.inputs[contraction.w])
        return cls(source, generic.input_maps[contraction.w].data, generic.bounds, contraction, block_n, block_k)

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
        return TensorType(self.source.element_type, [*batch, self.n_blocks, self.k_blocks, self.block_k, self.block_n])

    def read_map(self) -> AffineMap:
        """From the generic's loop indices to the packed weight's."""
        n = AffineExpr.dimension(self.contraction.n)
        k = [AffineExpr.dimension(dim) for dim in self.contraction.k]
        block, rest = block_of_k(k, self.k_extents, self.block_k, channels=self.contraction.channels)
        batch = [AffineExpr.dimension(dim) for dim in self.batch]
        results = (*batch, n // self.block_n, block, rest, n % self.block_n)
        return AffineMap(len(self.bounds), 0, results)

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
        element.add_op(YieldOp(element.args[0]))
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
        n_block, k_block, k_rest, n_rest = (AffineExpr.dimension(rank - 4 + position) for position in range(4))
        loops: list[AffineExpr] = [AffineExpr.constant(0)] * len(self.bounds)
        for position, dim in enumerate(self.batch):
            loops[dim] = AffineExpr.dimension(position)
        loops[self.contraction.n] = n_block * self.block_n + n_rest
        k = k_of_row(k_block, k_rest, self.k_extents, self.block_k, channels=self.contraction.channels)
        for dim, expression in zip(self.contraction.k, k, strict=True):
            loops[dim] = expression
        composed = self.access.replace_dims_and_symbols(loops, [], rank, 0)
        return simplify_map(composed, extent_ranges(bounds))
