"""TfIdfVectorizer: how often each n-gram of a pool is in a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from xdsl.dialects.builtin import Float32Type, TensorType
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.computed_indices import as_index, extract, index_constant, is_within, loop_index
from rammer_ir.frontend.element_types import Array
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.limits import checked_bytes
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@dataclass(frozen=True)
class _Pool:
    """The n-grams of one length, [n-grams, length], and the place of each in the result."""

    grams: Array
    places: Sequence[int]


@onnx_op("TfIdfVectorizer", since=9)
def count_words(node: Node, build: GraphBuilder) -> Value:
    """Counts, or whether there is any, times weights; words of an n-gram may lie up to `max_skip_count` words apart."""
    operand = node.input(0)
    mode = node.string("mode", "TF")
    if operand.rank not in (1, 2) or mode not in ("TF", "IDF", "TFIDF"):
        raise node.error(f"has mode {mode!r} and an input of {operand.rank} dimensions")
    places = node.integers("ngram_indexes") or ()
    pools = _pools(node, places)
    skips = 1 + max(0, node.integer("max_skip_count", 0))
    size = max(places) + 1
    checked_bytes([*operand.shape[:-1], size], 4, "the result")
    counts = [_counts(build, operand, pool, 1 if pool.grams.shape[1] == 1 else skips) for pool in pools]
    return _arranged(node, build, counts, [place for pool in pools for place in pool.places], size)


def _pools(node: Node, places: Sequence[int]) -> list[_Pool]:
    """The pools whose n-grams are asked for, in the order of their lengths; words are integers."""
    starts, words = node.integers("ngram_counts"), node.integers("pool_int64s")
    if not starts or words is None or not places or min(places) < 0 or starts[0] != 0:
        raise node.error("needs ngram_counts that start with 0, pool_int64s and ngram_indexes")
    least, most = node.integer("min_gram_length", 1), node.integer("max_gram_length", 1)
    pools: list[_Pool] = []
    taken = 0
    for length, (start, end) in enumerate(zip(starts, [*starts[1:], len(words)], strict=True), 1):
        if not 0 <= start <= end <= len(words) or (end - start) % length:
            raise node.error(f"has ngram_counts {list(starts)} for {len(words)} words")
        number = (end - start) // length
        grams = np.array(words[start:end], np.int64).reshape(number, length)
        if number and least <= length <= most:
            pools.append(_Pool(grams, places[taken : taken + number]))
        taken += number
    if taken != len(places) or not pools:
        raise node.error(f"has {len(places)} ngram_indexes for {taken} n-grams")
    return pools


def _counts(build: GraphBuilder, operand: Value, pool: _Pool, skips: int) -> Value:
    """How often each n-gram of a pool is in each row, [rows, n-grams]."""
    number, length = pool.grams.shape
    words = operand.shape[-1]
    rows = operand.shape[:-1]
    rank = len(rows)
    dims = loop_dims(rank + 3)
    source = build.read(operand)
    table = build.read(build.constant(pool.grams.astype(operand.dtype), f"grams{length}"))
    reads = [Read(table, [dims[rank], AffineExpr.constant(word)]) for word in range(length)]

    def body(*wanted: SSAValue) -> SSAValue:
        step = scalars.add(loop_index(rank + 1), index_constant(1))
        matches: list[SSAValue] = []
        for position, word in enumerate(wanted):
            offset = scalars.multiply(step, index_constant(position))
            place = scalars.add(loop_index(rank + 2), offset)
            found = extract(source, [*(loop_index(dim) for dim in range(rank)), place])
            matches += [is_within(place, words), scalars.compare("eq", found, word)]
        one, zero = (scalars.constant(item, Float32Type()) for item in (1, 0))
        return scalars.select(reduce(scalars.both, matches), one, zero)

    combiner = Combiner.ADD if skips * words > 1 else Combiner.NONE
    write = Write(TensorType(Float32Type(), [*rows, number]), dims[: rank + 1], combiner)
    return build.generic([*rows, number, skips, words], reads, [write], body)[0]


def _arranged(node: Node, build: GraphBuilder, counts: Sequence[Value], places: Sequence[int], size: int) -> Value:
    """
    The counts in the order of the result, weighted; 0 where no n-gram belongs.

    Weights are in the order of the result too, as for onnxruntime and ONNX's own evaluator.
    """
    whole = build.concatenate(counts, counts[0].rank - 1)
    mode = node.string("mode", "TF")
    given = node.floats("weights")
    order, weights = np.zeros(size, np.int32), np.zeros(size, np.float32)
    for number, place in enumerate(places):
        order[place], weights[place] = number, 1.0
    if given is not None and mode != "TF":
        if len(given) != size:
            raise node.error(f"has {len(given)} weights for {size} results")
        weights[list(places)] = np.array(given, np.float32)[list(places)]
    source, rank = build.read(whole), whole.rank
    shape = [*whole.shape[:-1], size]
    dims = loop_dims(rank)

    def body(number: SSAValue, weight: SSAValue) -> SSAValue:
        count = extract(source, [*(loop_index(dim) for dim in range(rank - 1)), as_index(number)])
        if mode == "IDF":
            zero, one = scalars.constant_like(0, count), scalars.constant_like(1, count)
            count = scalars.select(scalars.compare("gt", count, zero), one, zero)
        return scalars.multiply(count, weight)

    tables = [build.constant(order, "order"), build.constant(weights, "weights")]
    reads = [Read(build.read(table), [dims[-1]]) for table in tables]
    return build.generic(shape, reads, [Write(TensorType(Float32Type(), shape), dims)], body)[0]
