"""
Scatters: elements of a tensor replaced by, or combined with, those of another at computed indices.

Each element of the result looks for the updates that are meant for it: in parallel, with the same result in every run.
Without a reduction the last of them is found by the greatest number, so the cost in comparisons is the number of places
that an index may name times that of the updates that may name it; rows of slices are then copied once.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod
from typing import Final

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import TensorType, i32
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.computed_indices import (
    as_index,
    as_integer,
    delinearized_index,
    extract,
    index_constant,
    is_within,
    loop_index,
    loop_indices,
    model_index,
)
from rammer_ir.frontend.element_types import is_floating
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import delinearized, loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value

_REDUCTIONS: Final[dict[str, tuple[Combiner, Callable[[SSAValue, SSAValue], SSAValue]]]] = {
    "add": (Combiner.ADD, scalars.add),
    "mul": (Combiner.MULTIPLY, scalars.multiply),
    "max": (Combiner.MAXIMUM, scalars.maximum),
    "min": (Combiner.MINIMUM, scalars.minimum),
}


def _reduction(node: Node) -> tuple[Combiner, Callable[[SSAValue, SSAValue], SSAValue]] | None:
    name = node.string("reduction", "none")
    if name != "none" and name not in _REDUCTIONS:
        raise node.error(f"has a reduction that is not known: {name!r}")
    return _REDUCTIONS.get(name)


def _neutral(combiner: Combiner, like: Value) -> float:
    if combiner in (Combiner.ADD, Combiner.MULTIPLY):
        return 0 if combiner is Combiner.ADD else 1
    if is_floating(like.dtype):
        return float("-inf") if combiner is Combiner.MAXIMUM else float("inf")
    limits = np.iinfo(str(like.dtype))
    return int(limits.min if combiner is Combiner.MAXIMUM else limits.max)


@onnx_op("Scatter", since=9)
@onnx_op("ScatterElements", since=11)
def scatter_elements(node: Node, build: GraphBuilder) -> Value:
    """The updates' indices differ from those of their places in one dimension."""
    data, indices, updates = node.input(0), node.input(1), node.input(2)
    axis, reduction = node.axis("axis", 0, data.rank), _reduction(node)
    if indices.shape != updates.shape or indices.rank != data.rank:
        raise node.error(f"has indices {list(indices.shape)}, updates {list(updates.shape)}, data {list(data.shape)}")
    places = [data.shape[dim] if dim == axis else extent for dim, extent in enumerate(indices.shape)]
    if any(extent > whole for extent, whole in zip(places, data.shape, strict=True)):
        raise node.error(f"has indices {list(indices.shape)} for data {list(data.shape)}")
    row = _Row(axis, places, indices.shape[axis])
    if reduction is None:
        found = row.last(build, indices)
        source = build.read(updates)

        def replaced(old: SSAValue, number: SSAValue) -> SSAValue:
            index = [as_index(number) if dim == axis else loop_index(dim) for dim in range(data.rank)]
            return _chosen(number, extract(source, index), old)

        return _merged(build, data, found, replaced, -1)
    combiner, combine = reduction
    neutral = _neutral(combiner, data)
    return _merged(build, data, row.combined(build, indices, updates, combiner, neutral), combine, neutral)


class _Row:
    """The search of places of a dimension for the updates, of so many `updates` along it, whose index they are."""

    def __init__(self, axis: int, places: Sequence[int], updates: int) -> None:
        self.axis = axis
        self.places = places
        self.updates = updates
        self.dims = loop_dims(len(places))
        # The number of the update is the last loop.
        self.number = len(places)
        self.read_at = [
            AffineExpr.dimension(len(places)) if dim == axis else self.dims[dim] for dim in range(self.number)
        ]

    def _is_here(self, index: SSAValue) -> SSAValue:
        return scalars.compare("eq", model_index(index, self.places[self.axis]), loop_index(self.axis))

    def _write(self, element: Attribute, combiner: Combiner) -> Write:
        return Write(TensorType(element, self.places), self.dims, combiner if self.updates > 1 else Combiner.NONE)

    def last(self, build: GraphBuilder, indices: Value) -> Value:
        """The number of the last update of each place, as i32; -1 where there is none."""

        def body(index: SSAValue) -> SSAValue:
            number = as_integer(loop_index(self.number), i32)
            return scalars.select(self._is_here(index), number, scalars.constant(-1, i32))

        reads = [Read(build.read(indices), self.read_at)]
        return build.generic([*self.places, self.updates], reads, [self._write(i32, Combiner.MAXIMUM)], body)[0]

    def combined(
        self, build: GraphBuilder, indices: Value, updates: Value, combiner: Combiner, neutral: float
    ) -> Value:
        """All updates of each place."""

        def body(index: SSAValue, update: SSAValue) -> SSAValue:
            return scalars.select(self._is_here(index), update, scalars.constant_like(neutral, update))

        reads = [Read(build.read(indices), self.read_at), Read(build.read(updates), self.read_at)]
        write = self._write(updates.element_type, combiner)
        return build.generic([*self.places, self.updates], reads, [write], body)[0]


def _chosen(number: SSAValue, update: SSAValue, old: SSAValue) -> SSAValue:
    """The update, unless its number is negative."""
    return scalars.select(scalars.compare("ge", number, scalars.constant_like(0, number)), update, old)


def _merged(
    build: GraphBuilder,
    data: Value,
    found: Value,
    body: Callable[[SSAValue, SSAValue], SSAValue],
    pad: float,
) -> Value:
    """Each element with what was found for it; `pad` is for those behind what was looked at."""
    dims = loop_dims(data.rank)
    is_smaller = any(extent < whole for extent, whole in zip(found.shape, data.shape, strict=False))
    reads = [
        Read(build.read(data), dims),
        Read(build.read(found), dims[: found.rank], pad=pad if is_smaller else None),
    ]
    return build.generic(data.shape, reads, [Write(data.type, dims)], body)[0]


@onnx_op("ScatterND", since=11)
def scatter_nd(node: Node, build: GraphBuilder) -> Value:
    """The updates are slices; the last dimension of `indices` holds the first indices of their places."""
    data, indices, updates = node.input(0), node.input(1), node.input(2)
    depth, outer = indices.shape[-1] if indices.rank else 0, indices.shape[:-1]
    if not 1 <= depth <= data.rank or updates.shape != (*outer, *data.shape[depth:]):
        raise node.error(f"has indices {list(indices.shape)}, updates {list(updates.shape)}, data {list(data.shape)}")
    reduction = _reduction(node)
    if reduction is None:
        found = _last_slice(build, data, indices)
        source = build.read(updates)

        def replaced(old: SSAValue, number: SSAValue) -> SSAValue:
            first = delinearized_index(scalars.maximum(as_index(number), index_constant(0)), outer)
            return _chosen(number, extract(source, [*first, *loop_indices(data.rank - depth, depth)]), old)

        return _merged(build, data, found, replaced, -1)
    combiner, combine = reduction
    neutral = _neutral(combiner, data)
    return _merged(build, data, _combined_slices(build, data, indices, updates, combiner, neutral), combine, neutral)


def _index_reads(build: GraphBuilder, indices: Value, number: AffineExpr) -> list[Read]:
    """The parts of the index of an update."""
    source = build.read(indices)
    outer = delinearized(number, indices.shape[:-1])
    return [Read(source, [*outer, AffineExpr.constant(part)]) for part in range(indices.shape[-1])]


def _all_here(parts: Sequence[SSAValue], shape: Sequence[int]) -> SSAValue:
    """Whether an index is that of the first loops."""
    matches = [
        scalars.compare("eq", model_index(part, extent), loop_index(dim))
        for dim, (part, extent) in enumerate(zip(parts, shape, strict=False))
    ]
    return reduce(scalars.both, matches)


def _last_slice(build: GraphBuilder, data: Value, indices: Value) -> Value:
    depth, count = indices.shape[-1], prod(indices.shape[:-1])
    shape, dims = data.shape[:depth], loop_dims(depth)

    def body(*parts: SSAValue) -> SSAValue:
        number = as_integer(loop_index(depth), i32)
        return scalars.select(_all_here(parts, shape), number, scalars.constant(-1, i32))

    reads = _index_reads(build, indices, AffineExpr.dimension(depth))
    write = Write(TensorType(i32, shape), dims, Combiner.MAXIMUM if count > 1 else Combiner.NONE)
    return build.generic([*shape, count], reads, [write], body)[0]


def _combined_slices(
    build: GraphBuilder, data: Value, indices: Value, updates: Value, combiner: Combiner, neutral: float
) -> Value:
    depth, count = indices.shape[-1], prod(indices.shape[:-1])
    dims, number = loop_dims(data.rank), AffineExpr.dimension(data.rank)
    update = Read(build.read(updates), [*delinearized(number, indices.shape[:-1]), *dims[depth:]])

    def body(*elements: SSAValue) -> SSAValue:
        *parts, value = elements
        return scalars.select(_all_here(parts, data.shape), value, scalars.constant_like(neutral, value))

    reads = [*_index_reads(build, indices, number), update]
    write = Write(data.type, dims, combiner if count > 1 else Combiner.NONE)
    return build.generic([*data.shape, count], reads, [write], body)[0]


@onnx_op("TensorScatter", since=24)
def tensor_scatter(node: Node, build: GraphBuilder) -> Value:
    """A run of slices of a dimension replaced, from an index on that each batch has: the write to a KV cache."""
    cache, update, starts = node.input(0), node.input(1), node.optional_input(2)
    axis = node.axis("axis", -2, cache.rank)
    mode = node.string("mode", "linear")
    if axis == 0 or update.rank != cache.rank or mode not in ("linear", "circular"):
        raise node.error(f"has mode {mode!r}, axis {axis} and an update of shape {list(update.shape)}")
    source, dims = build.read(update), loop_dims(cache.rank)
    extent, count = cache.shape[axis], update.shape[axis]

    def body(old: SSAValue, *start: SSAValue) -> SSAValue:
        place = loop_index(axis)
        if start:
            place = scalars.subtract(place, as_index(start[0]))
        if mode == "circular":
            rest = arith.RemSIOp(place, index_constant(extent)).result
            place = scalars.select(
                scalars.compare("lt", rest, index_constant(0)), scalars.add(rest, index_constant(extent)), rest
            )
        new = extract(source, [place if dim == axis else loop_index(dim) for dim in range(cache.rank)])
        return scalars.select(is_within(place, count), new, old)

    reads = [Read(build.read(cache), dims)]
    if starts is not None:
        reads.append(Read(build.read(starts), [dims[0]]))
    return build.generic(cache.shape, reads, [Write(cache.type, dims)], body)[0]
