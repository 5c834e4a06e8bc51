"""Attention of queries to keys: two products with a softmax between."""

from dataclasses import dataclass
from math import prod, sqrt

import numpy as np
from xdsl.dialects.builtin import f32
from xdsl.ir import Attribute, SSAValue

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.element_types import dtype_of_onnx, element_type
from rammer_ir.frontend.generics import Read
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.attention_mask import AttentionMask
from rammer_ir.frontend.ops.contraction import contract
from rammer_ir.frontend.ops.views import reshaped, transposed
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("Attention", since=23)
def attention(node: Node, build: GraphBuilder) -> list[Value | None]:
    """
    softmax(cap(scale Q K') with a mask) V, for each head of queries, which may share heads of keys and values.

    Inputs are [B, heads, length, size], or [B, length, heads * size]. Further results: the keys and the values with
    those of the past before them, and what `qk_matmul_output_mode` says: the scores scaled (0), also capped (1), also
    masked (2), or their softmax (3). A query that may attend to no key gives zeros. The softmax of numbers of 16 bits
    is computed in 32, if not said otherwise.
    """
    queries, keys, values = (_with_heads(node, build, position) for position in range(3))
    if len({queries.shape[0], keys.shape[0], values.shape[0]}) > 1 or keys.shape[1] != values.shape[1]:
        raise node.error("has Q, K and V of different batches, or K and V of different heads")
    past = node.optional_input(4)
    past_length = 0 if past is None else past.shape[2]
    keys, values = _with_past(node, build, 4, keys), _with_past(node, build, 5, values)
    heads = _heads(node, queries, keys)
    sizes = _Sizes(queries.shape[0], heads, queries.shape[2], keys.shape[2], queries.shape[3], values.shape[3])
    scores = _scores(node, build, sizes, queries, keys)
    capped = _capped(node, build, scores)
    mask = AttentionMask(node, heads, sizes.queries, sizes.keys, past_length)
    masked = mask.applied(build, capped)
    shares = _softmax(node, build, masked, may_be_empty=not mask.is_trivial)
    result = _weighted(build, sizes, shares, values)
    mode = node.integer("qk_matmul_output_mode", 0)
    if not 0 <= mode <= 3:
        raise node.error(f"has qk_matmul_output_mode {mode}; those from 0 to 3 are known")
    shown = reshaped(build, (scores, capped, masked, shares)[mode], sizes.scores) if node.is_used(3) else None
    return [_joined(node, build, result), keys, values, shown]


@dataclass(frozen=True)
class _Sizes:
    """
    B; the heads of keys, and behind them, if there are more of queries, how many share one; the numbers of queries and
    of keys, and the elements of a key and of a value.
    """

    batch: int
    heads: tuple[int, ...]
    queries: int
    keys: int
    size: int
    value_size: int

    @property
    def scores(self) -> tuple[int, ...]:
        """[B, heads of queries, queries, keys]"""
        return (self.batch, prod(self.heads), self.queries, self.keys)


def _with_heads(node: Node, build: GraphBuilder, position: int) -> Value:
    """Q, K or V as [B, heads, length, size]."""
    operand = node.input(position)
    if operand.rank == 4:
        return operand
    heads = node.integer("q_num_heads" if position == 0 else "kv_num_heads", 0)
    if operand.rank != 3 or heads <= 0 or operand.shape[2] % heads != 0:
        raise node.error(f"has an input of shape {list(operand.shape)} that does not fall into {heads} heads")
    batch, length, width = operand.shape
    return transposed(build, reshaped(build, operand, (batch, length, heads, width // heads)), (0, 2, 1, 3))


def _with_past(node: Node, build: GraphBuilder, position: int, new: Value) -> Value:
    """The keys or values with those of the past, [B, heads, length, size], before them."""
    past = node.optional_input(position)
    if past is None:
        return new
    if past.rank != 4 or past.shape[:2] != new.shape[:2] or past.shape[3] != new.shape[3]:
        raise node.error(f"has a past of shape {list(past.shape)} before keys or values of shape {list(new.shape)}")
    return build.concatenate([past, new], 2)


def _heads(node: Node, queries: Value, keys: Value) -> tuple[int, ...]:
    own, shared = queries.shape[1], keys.shape[1]
    if own % shared != 0 or queries.shape[3] != keys.shape[3]:
        raise node.error(f"has queries of shape {list(queries.shape)} for keys of shape {list(keys.shape)}")
    return (shared,) if own == shared else (shared, own // shared)


def _scores(node: Node, build: GraphBuilder, sizes: _Sizes, queries: Value, keys: Value) -> Value:
    """scale Q K', [B, *heads, queries, keys]; of numbers of 16 bits Q is scaled first, so that none overflows."""
    scale = node.floating("scale", 0.0) if node.has("scale") else 1 / sqrt(sizes.size)

    def scaled(value: Value) -> Value:
        return build.pointwise(
            [value], value.shape, lambda element: scalars.multiply(element, scalars.constant_like(scale, element))
        )

    is_narrow = queries.dtype.itemsize == 2
    grouped = reshaped(
        build, scaled(queries) if is_narrow else queries, (sizes.batch, *sizes.heads, sizes.queries, sizes.size)
    )
    rank = grouped.rank
    dims = loop_dims(rank + 1)
    query, key, inner = dims[-3:]
    product = contract(
        build,
        [*grouped.shape[:-1], sizes.keys, sizes.size],
        Read(build.read(grouped), [*dims[: rank - 2], query, inner]),
        Read(build.read(keys), [dims[0], dims[1], key, inner]),
        [*grouped.shape[:-1], sizes.keys],
        dims[:-1],
    )
    return product if is_narrow else scaled(product)


def _capped(node: Node, build: GraphBuilder, scores: Value) -> Value:
    """cap tanh(scores / cap)"""
    cap = node.floating("softcap", 0.0)
    if cap <= 0:
        return scores

    def body(x: SSAValue) -> SSAValue:
        limit = scalars.constant_like(cap, x)
        return scalars.multiply(scalars.hyperbolic_tangent(scalars.divide(x, limit)), limit)

    return build.pointwise([scores], scores.shape, body)


def _softmax_type(node: Node, scores: Value) -> Attribute:
    precision = node.integer("softmax_precision", 0)
    if precision == 0:
        return f32 if scores.dtype.itemsize == 2 else scores.element_type
    what = "softmax_precision"
    return element_type(dtype_of_onnx(precision, what), what)


def _softmax(node: Node, build: GraphBuilder, scores: Value, *, may_be_empty: bool) -> Value:
    """The softmax over the last dimension; zeros where all scores are -infinity, if that may be."""
    computed, result = _softmax_type(node, scores), scores.element_type
    axes = [scores.rank - 1]

    def widened(x: SSAValue) -> SSAValue:
        return scalars.convert(x, computed)

    def power(x: SSAValue, top: SSAValue) -> SSAValue:
        value = scalars.exponential(scalars.subtract(widened(x), top))
        if not may_be_empty:
            return value
        is_empty = scalars.compare("eq", top, scalars.constant_like(-np.inf, top))
        return scalars.select(is_empty, scalars.constant_like(0, top), value)

    def share(value: SSAValue, total: SSAValue) -> SSAValue:
        if may_be_empty:
            zero = scalars.constant_like(0, total)
            is_empty = scalars.compare("eq", total, zero)
            total = scalars.select(is_empty, scalars.constant_like(1, total), total)
        return scalars.convert(scalars.divide(value, total), result)

    highest = build.reduce(scores, axes, Combiner.MAXIMUM, body=widened, element_type=computed)
    powers = build.pointwise([scores, highest], scores.shape, power, computed)
    total = build.reduce(powers, axes, Combiner.ADD)
    return build.pointwise([powers, total], scores.shape, share, result)


def _weighted(build: GraphBuilder, sizes: _Sizes, shares: Value, values: Value) -> Value:
    """The sums of values, by the shares of their keys: [B, heads, queries, size]."""
    rank = shares.rank
    dims = loop_dims(rank + 1)
    query, column, key = dims[-3:]
    shape = [*shares.shape[:-1], sizes.value_size]
    product = contract(
        build,
        [*shape, sizes.keys],
        Read(build.read(shares), [*dims[: rank - 2], query, key]),
        Read(build.read(values), [dims[0], dims[1], key, column]),
        shape,
        dims[:-1],
    )
    return reshaped(build, product, (sizes.batch, prod(sizes.heads), sizes.queries, sizes.value_size))


def _joined(node: Node, build: GraphBuilder, result: Value) -> Value:
    """The result in the form of Q."""
    if node.input(0).rank == 4:
        return result
    batch, heads, length, size = result.shape
    return reshaped(build, transposed(build, result, (0, 2, 1, 3)), (batch, length, heads * size))
