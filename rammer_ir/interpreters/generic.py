"""
`rop.generic` on whole index grids.

Reductions by `add` and `multiply` of floats are accumulated in float64 and rounded once, so that what any order of
summation in the element type gives may be compared with the result. Where a sum's summands are products, the products
are not rounded before (as with fused multiply-add), and the sum is a matrix product. Everything else in a body is
rounded to its type op by op.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any, cast

import numpy as np
from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import UnitAttr
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects import rop
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.contraction import contract
from rammer_ir.interpreters.element_types import (
    Array,
    DType,
    constant_array,
    is_float,
    poisoned,
    shape_of,
    tensor_dtype,
)
from rammer_ir.interpreters.scalar_functions import extract
from rammer_ir.interpreters.scalar_ops import evaluate_scalar_op
from rammer_ir.interpreters.tensor_access import Access, IndexBox, in_range, read
from rammer_ir.locations import describe_op

POINTS_AT_ONCE = 1 << 22
"""Elements of the largest array that is made at once, where the loop dimensions can be cut."""

Lookup = Callable[[SSAValue], Any]


@dataclass(frozen=True)
class TaskLocal:
    """A tensor that each of several tasks has for itself: axis 0 of `array` runs over the tasks."""

    array: Array


TensorValue = Array | TaskLocal
IndexValue = int | Array
"""A number, or one for each task."""


def evaluate_generic(op: rop.GenericOp, lookup: Lookup, into: Sequence[Array] | None = None) -> tuple[Array, ...]:
    """
    The results of a generic, as new arrays; elements that are neither written nor in `into` are poisoned.

    `lookup` gives the values of operands and of values from around the op: arrays for tensors, numbers for indices.
    `into` stands for the op's own operands of that name, where given. Raises RammerError for a read out of range
    without a pad, and for an element that is written twice.
    """
    given = [cast("Array", lookup(value)) for value in op.into] if into is None else into
    results = tuple(
        given[position].copy() if given else poisoned(shape_of(result.type), tensor_dtype(result.type))
        for position, result in enumerate(op.res)
    )
    write_generic(op, lookup, results)
    return results


def write_generic(op: rop.GenericOp, lookup: Lookup, results: Sequence[TensorValue], tasks: int | None = None) -> None:
    """
    Write what a generic writes into `results`, which hold their contents before.

    With `tasks`, the generic is evaluated for that many tasks at once: `lookup` gives for an index either a number or
    an array with one for each task, for a tensor an array that all tasks read or a `TaskLocal`; a result that is an
    array is shared by the tasks. All reads come before all writes. Raises RammerError as `evaluate_generic` does.
    """
    try:
        _Evaluation(op, lookup, tuple(results), tasks).run()
    except RammerError as error:
        error.location = error.location or describe_op(op)
        raise


@dataclass(frozen=True)
class _Evaluation:
    """One evaluation of a generic. Its axes are the tasks, if there are several, then the loop dimensions."""

    op: rop.GenericOp
    lookup: Lookup
    results: tuple[TensorValue, ...]
    tasks: int | None

    def run(self) -> None:
        first = len(self.extents) - len(self.op.bounds)
        loops = frozenset(range(first, len(self.extents)))
        sinks = [
            _Sink(_data(result), access, loops - access.axes, combiner)
            for result, access, combiner in zip(self.results, self.writes, self.op.combiners, strict=True)
        ]
        for box in self._boxes():
            self._run_box(box, sinks)
        for sink in sinks:
            sink.flush()

    @cached_property
    def extents(self) -> tuple[int, ...]:
        return self.op.bounds if self.tasks is None else (self.tasks, *self.op.bounds)

    @cached_property
    def inputs(self) -> tuple[TensorValue, ...]:
        return tuple(cast("TensorValue", self.lookup(value)) for value in self.op.inputs)

    @cached_property
    def reads(self) -> tuple[Access, ...]:
        return tuple(
            self._access(map_attr.data, value) for map_attr, value in zip(self.op.input_maps, self.inputs, strict=True)
        )

    @cached_property
    def writes(self) -> tuple[Access, ...]:
        return tuple(
            self._access(map_attr.data, value)
            for map_attr, value in zip(self.op.output_maps, self.results, strict=True)
        )

    @cached_property
    def pads(self) -> tuple[Array | None, ...]:
        return tuple(None if isinstance(pad, UnitAttr) else constant_array(pad) for pad in self.op.pads)

    def _access(self, index_map: AffineMap, value: TensorValue) -> Access:
        """The map over this evaluation's axes, with numbers in place of the symbols that all tasks share."""
        first = 0 if self.tasks is None else 1
        dims = [AffineExpr.dimension(first + dim) for dim in range(index_map.num_dims)]
        symbols: list[AffineExpr] = []
        arrays: list[Array] = []
        for operand in self.op.at:
            at = np.asarray(self.lookup(operand))
            symbols.append(AffineExpr.symbol(len(arrays)) if at.ndim else AffineExpr.constant(int(at)))
            arrays += [at] if at.ndim else []
        results = [result.replace_dims_and_symbols(dims, symbols) for result in index_map.results]
        if isinstance(value, TaskLocal):
            results.insert(0, AffineExpr.dimension(0))
        return Access(AffineMap(len(self.extents), len(arrays), tuple(results)), tuple(arrays))

    def _run_box(self, box: IndexBox, sinks: Sequence["_Sink"]) -> None:
        targets = [sink.target(box, clip=bool(self.op.at)) for sink in sinks]
        if all(target.is_empty for target in targets):
            return
        needed = _any_of([target.valid for target in targets])
        values: dict[SSAValue, Array] = {
            argument: read(_data(value), access, box, pad, needed)
            for argument, value, access, pad in zip(
                self.op.body.block.args, self.inputs, self.reads, self.pads, strict=True
            )
        }
        self._evaluate_body(box, values)
        last = cast("rop.YieldOp", self.op.body.block.last_op)
        for value, sink, target in zip(last.values, sinks, targets, strict=True):
            sink.take(target, self._combined(value, values, box, sink), box)

    def _evaluate_body(self, box: IndexBox, values: dict[SSAValue, Array]) -> None:
        rank = len(box.starts)
        indices = box.indices()[rank - len(self.op.bounds) :]
        for op in self.op.body.block.ops:
            if isinstance(op, rop.YieldOp) or op in self._deferred:
                continue
            if isinstance(op, rop.IndexOp):
                values[op.result] = indices[op.dim.value.data]
                continue
            if isinstance(op, tensor.ExtractOp):
                index = tuple(self._value(index, values, box) for index in op.indices)
                values[op.result] = extract(op, cast("Array", self.lookup(op.tensor)), index)
                continue
            result = evaluate_scalar_op(op, tuple(self._value(operand, values, box) for operand in op.operands))
            values[op.results[0]] = result.reshape([1] * rank) if result.ndim == 0 else result

    def _value(self, value: SSAValue, values: Mapping[SSAValue, Array], box: IndexBox) -> Array:
        """The value of a body's operand; one from around the generic is a number, or one a task."""
        if value in values:
            return values[value]
        outer, rank = np.asarray(self.lookup(value)), len(box.starts)
        if outer.ndim == 0:
            return outer.reshape([1] * rank)
        return outer[box.starts[0] : box.stops[0]].reshape([-1] + [1] * (rank - 1))

    def _combined(self, value: SSAValue, values: Mapping[SSAValue, Array], box: IndexBox, sink: "_Sink") -> Array:
        """The yielded value reduced over the sink's axes, which are 1 in the result."""
        owner = value.owner
        if isinstance(owner, Operation) and owner in self._deferred:
            lhs, rhs = (self._value(operand, values, box) for operand in owner.operands)
            return contract(lhs, rhs, box.extents, sink.reduced)
        array = self._value(value, values, box)
        return _reduce(array, box.extents, sink.reduced, sink.combiner) if sink.reduced else array

    @cached_property
    def _deferred(self) -> frozenset[Operation]:
        """Multiplications that are only yielded, to be summed: a contraction does both."""
        last = cast("rop.YieldOp", self.op.body.block.last_op)
        deferred: set[Operation] = set()
        for result, value in enumerate(last.values):
            owner = value.owner
            if (
                isinstance(owner, arith.MulfOp | arith.MuliOp)
                and self.op.combiners[result] is rop.Combiner.ADD
                and self.op.reduction_dims(result)
                and value.has_one_use()
            ):
                deferred.add(owner)
        return frozenset(deferred)

    def _boxes(self) -> list[IndexBox]:
        """The index space in boxes whose largest array has at most `POINTS_AT_ONCE` elements, if it can be cut so."""
        arrays = self._value_axes()
        kept = frozenset[int]().union(*(access.axes for access in self.writes))
        tile = list(self.extents)
        while True:
            largest = max(arrays, key=lambda axes: prod(tile[axis] for axis in axes))
            if prod(tile[axis] for axis in largest) <= POINTS_AT_ONCE:
                break
            # Cutting a reduced axis costs a pass over the result for every part.
            axis = max(largest, key=lambda axis: (axis in kept and tile[axis] > 1, tile[axis]))
            tile[axis] = -(-tile[axis] // 2)
        starts = [range(0, extent, size) for extent, size in zip(self.extents, tile, strict=True)]
        return [
            IndexBox(origin, tuple(min(o + size, end) for o, size, end in zip(origin, tile, self.extents, strict=True)))
            for origin in product(*starts)
        ]

    def _value_axes(self) -> list[frozenset[int]]:
        """The axes of every array that is made."""
        first = len(self.extents) - len(self.op.bounds)
        axes: dict[SSAValue, frozenset[int]] = {
            argument: access.axes for argument, access in zip(self.op.body.block.args, self.reads, strict=True)
        }
        for op in self.op.body.block.ops:
            if isinstance(op, rop.YieldOp) or op in self._deferred:
                continue
            outer = frozenset(range(first))
            found = frozenset[int]().union(*(axes.get(operand, outer) for operand in op.operands))
            axes[op.results[0]] = frozenset({first + op.dim.value.data}) if isinstance(op, rop.IndexOp) else found
        return [*axes.values(), *(access.axes for access in self.writes)]


def _data(value: TensorValue) -> Array:
    return value.array if isinstance(value, TaskLocal) else value


def _any_of(masks: Sequence[Array | None]) -> Array | None:
    found: Array | None = None
    for mask in masks:
        if mask is None:
            return None
        found = mask if found is None else found | mask
    return found


@dataclass(frozen=True)
class _Target:
    """Where a box writes: an index, and at which points of the box (None: at all)."""

    index: tuple[Array, ...]
    valid: Array | None

    @property
    def is_empty(self) -> bool:
        return self.valid is not None and not self.valid.any()

    def places(self, values: Array) -> tuple[tuple[Array, ...], Array]:
        """The index and the values to write, of the same shape; `values` has the shape of the points written."""
        index = tuple(np.broadcast_to(part, values.shape) for part in self.index)
        if self.valid is None:
            return index, values
        valid = np.broadcast_to(self.valid, values.shape)
        return tuple(part[valid] for part in index), values[valid]


class _Sink:
    """Collects what is written into one result, and writes it at the end."""

    def __init__(self, result: Array, access: Access, unused: frozenset[int], combiner: rop.Combiner) -> None:
        self.result = result
        self.access = access
        self.combiner = combiner
        self.reduced = unused
        dtype = accumulator_dtype(result.dtype, combiner) if unused else result.dtype
        self.values = np.full(result.shape, _neutral(combiner, dtype) if unused else 0, dtype)
        self.written = np.zeros(result.shape, np.bool_)
        self.count = 0

    def target(self, box: IndexBox, *, clip: bool) -> _Target:
        index = self.access.index(box)
        valid = in_range(index, self.result.shape)
        if valid is not None and not clip:
            raise RammerError(f"a write by {self.access.index_map} leaves {list(self.result.shape)}")
        return _Target(index, valid)

    def take(self, target: _Target, values: Array, box: IndexBox) -> None:
        """Combine the values of a box's points, 1 on reduced axes, with what is there."""
        shape = [1 if axis in self.reduced else extent for axis, extent in enumerate(box.extents)]
        values = np.broadcast_to(values, shape)
        is_first = all(box.starts[axis] == 0 for axis in self.reduced)
        view, written = self.access.view(self.values, box), self.access.view(self.written, box)
        if view is not None and written is not None and view.shape == values.shape:
            view[...] = self._combined(view, values)
            written[...] |= is_first
        else:
            index, values = target.places(values)
            self.values[index] = self._combined(self.values[index], values)
            self.written[index] |= is_first
        self.count += values.size if is_first else 0

    def _combined(self, before: Array, values: Array) -> Array:
        if not self.reduced:
            return values
        with np.errstate(all="ignore"):
            return _COMBINE[self.combiner](before, values)

    def flush(self) -> None:
        distinct = int(np.count_nonzero(self.written))
        if distinct != self.count:
            raise RammerError(f"{self.access.index_map} writes {self.count} times to {distinct} elements")
        np.copyto(self.result, narrowed(self.values, self.result.dtype), where=self.written)


def accumulator_dtype(dtype: DType, combiner: rop.Combiner) -> DType:
    """The dtype that a reduction of elements of `dtype` is carried out in."""
    if combiner not in (rop.Combiner.ADD, rop.Combiner.MULTIPLY):
        return dtype
    if is_float(dtype):
        return np.dtype(np.float64)
    return np.dtype(np.uint64 if dtype.kind == "u" else np.int64)


def narrowed(values: Array, dtype: DType) -> Array:
    """Accumulated values in the element type: rounded, or wrapped."""
    with np.errstate(all="ignore"):
        return (values & 1).astype(np.bool_) if dtype == np.bool_ else values.astype(dtype)


_COMBINE: dict[rop.Combiner, Callable[[Array, Array], Array]] = {
    rop.Combiner.ADD: np.add,
    rop.Combiner.MULTIPLY: np.multiply,
    rop.Combiner.MAXIMUM: np.maximum,
    rop.Combiner.MINIMUM: np.minimum,
}


def _neutral(combiner: rop.Combiner, dtype: DType) -> Any:
    if combiner is rop.Combiner.ADD:
        return 0
    if combiner is rop.Combiner.MULTIPLY:
        return 1
    lowest = combiner is rop.Combiner.MAXIMUM
    if dtype == np.bool_:
        return not lowest
    if is_float(dtype):
        return -np.inf if lowest else np.inf
    return np.iinfo(dtype).min if lowest else np.iinfo(dtype).max


def _reduce(values: Array, extents: tuple[int, ...], reduced: Collection[int], combiner: rop.Combiner) -> Array:
    """The reduction over some axes; an axis of 1 in `values` stands for as many equal values as its extent."""
    wide = values.astype(accumulator_dtype(values.dtype, combiner), copy=False)
    axes = tuple(axis for axis in reduced if wide.shape[axis] > 1)
    repeats = prod(extents[axis] for axis in reduced if wide.shape[axis] == 1)
    with np.errstate(all="ignore"):
        match combiner:
            case rop.Combiner.ADD:
                return wide.sum(axis=axes, keepdims=True) * repeats
            case rop.Combiner.MULTIPLY:
                return wide.prod(axis=axes, keepdims=True) ** repeats
            case rop.Combiner.MAXIMUM:
                return wide.max(axis=axes, keepdims=True)
            case rop.Combiner.MINIMUM:
                return wide.min(axis=axes, keepdims=True)
            case rop.Combiner.NONE:
                raise RammerError("a reduction needs a combiner")


__all__ = ["POINTS_AT_ONCE", "TaskLocal", "accumulator_dtype", "evaluate_generic", "narrowed", "write_generic"]
