"""Which keys a query may attend to, and what is added to its scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from xdsl.dialects.arith import IndexCastOp
from xdsl.dialects.builtin import TensorType, i1, i32
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import IndexOp
from rammer_ir.frontend import scalars
from rammer_ir.frontend.element_types import is_floating
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import broadcast_indices, loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.value import Value

_MASK, _LENGTHS = 3, 6
"""The numbers of the node's inputs with the mask and with how many keys of each batch are there."""


@dataclass(frozen=True)
class AttentionMask:
    """
    The mask of an Attention node: its input, causality, the window, and keys that are padding.

    `heads` as in the scores [B, *heads, queries, keys]; `past` keys come before the first query's.
    """

    node: Node
    heads: Sequence[int]
    queries: int
    keys: int
    past: int

    @property
    def is_trivial(self) -> bool:
        """Whether every query attends to every key."""
        return self._mask is None and self._lengths is None and not self._bounds_above and self._left < 0

    @property
    def _mask(self) -> Value | None:
        return self.node.optional_input(_MASK)

    @property
    def _lengths(self) -> Value | None:
        return self.node.optional_input(_LENGTHS)

    @property
    def _left(self) -> int:
        return self.node.integer("left_window_size", -1)

    @property
    def _bounds_above(self) -> list[int]:
        """By how much a key may come behind a query, for each rule that says so and excludes any key."""
        right = self.node.integer("right_window_size", -1)
        rules = [*([0] if self.node.integer("is_causal", 0) != 0 else []), *([right] if right >= 0 else [])]
        # With a known offset, a rule that lets the first query see the last key excludes none.
        return [rule for rule in rules if self._lengths is not None or self.past + rule < self.keys - 1]

    def applied(self, build: GraphBuilder, scores: Value) -> Value:
        """The scores with the mask added, and -infinity where a query may not attend to a key."""
        if self.is_trivial:
            return scores
        dims = loop_dims(scores.rank)
        head = dims[1] if len(self.heads) == 1 else dims[1] * self.heads[1] + dims[2]
        reads = [Read(build.read(scores), dims)]
        if self._mask is not None:
            reads.append(self._mask_read(build, self._mask, [dims[0], head, *dims[-2:]], scores.shape[0]))
        if self._lengths is not None:
            if self._lengths.shape != (scores.shape[0],):
                raise self.node.error(f"has nonpad_kv_seqlen of shape {list(self._lengths.shape)}")
            reads.append(Read(build.read(self._lengths), [dims[0]]))

        def body(score: SSAValue, *others: SSAValue) -> SSAValue:
            remaining = iter(others)
            mask = None if self._mask is None else next(remaining)
            length = None if self._lengths is None else scalars.convert(next(remaining), i32)
            return self._masked(scores.rank, score, mask, length)

        return build.generic(scores.shape, reads, [Write(TensorType(scores.element_type, scores.shape), dims)], body)[0]

    def _mask_read(self, build: GraphBuilder, mask: Value, dims: Sequence[AffineExpr], batch: int) -> Read:
        """The mask, spread to [B, heads, queries, keys]; keys that it does not reach are not attended to."""
        shape = (batch, math.prod(self.heads), self.queries, self.keys)
        reached = (*shape[:-1], min(mask.shape[-1], self.keys)) if mask.rank else shape
        behind = reached[len(shape) - mask.rank :] if mask.rank <= len(shape) else ()
        if len(behind) != mask.rank or any(
            extent not in (1, wanted) for extent, wanted in zip(mask.shape, behind, strict=True)
        ):
            raise self.node.error(f"has a mask of shape {list(mask.shape)} for scores of shape {list(shape)}")
        indices = broadcast_indices(mask.shape, reached, dims)
        is_short = mask.rank > 0 and mask.shape[-1] < self.keys
        if is_short:
            indices = (*indices[:-1], dims[-1])
        outside = -math.inf if is_floating(mask.dtype) else 0
        return Read(build.read(mask), indices, pad=outside if is_short else None)

    def _masked(self, rank: int, score: SSAValue, mask: SSAValue | None, length: SSAValue | None) -> SSAValue:
        conditions = self._conditions(rank, length)
        nothing = scalars.constant_like(-math.inf, score)
        if mask is not None and mask.type == i1:
            conditions.append(mask)
        elif mask is not None:
            added = scalars.convert(mask, score.type)
            # Not left to the sum: a score that is infinite or no number is no key's that is masked.
            conditions.append(scalars.compare("ne", added, nothing))
            score = scalars.add(score, added)
        return scalars.select(reduce(scalars.both, conditions), score, nothing) if conditions else score

    def _conditions(self, rank: int, length: SSAValue | None) -> list[SSAValue]:
        """The rules on positions, inside the body of a generic whose last two dimensions are queries and keys."""
        if length is None and not self._bounds_above and self._left < 0:
            return []
        query, key = (IndexCastOp(IndexOp(dim), i32).result for dim in (rank - 2, rank - 1))
        if length is None:
            offset = scalars.constant(self.past, i32)
        else:
            offset = scalars.subtract(length, scalars.constant(self.queries, i32))
        position = scalars.add(query, offset)
        conditions = [
            scalars.compare("le", key, scalars.add(position, scalars.constant(bound, i32)))
            for bound in self._bounds_above
        ]
        if self._left >= 0:
            lowest = scalars.subtract(position, scalars.constant(self._left, i32))
            conditions.append(scalars.compare("ge", key, lowest))
        return [*conditions, *([] if length is None else [scalars.compare("lt", key, length)])]
