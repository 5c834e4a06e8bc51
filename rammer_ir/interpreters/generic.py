"""
`rop.generic` on whole index grids.

Reductions by `add` and `multiply` of floats are accumulated in float64 and rounded once, so that what any order of
summation in the element type gives may be compared with the result. Where a sum's summands are products, the products
are not rounded before (as with fused multiply-add), and the sum is a matrix product. Everything else in a body is
rounded to its type op by op.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any, cast

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import UnitAttr
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects import rop
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.contraction import contract
from rammer_ir.interpreters.element_types import (
    Array,
    constant_array,
    poisoned,
    shape_of,
    tensor_dtype,
)
from rammer_ir.interpreters.reductions import reduce_axes
from rammer_ir.interpreters.result_sink import ResultSink
from rammer_ir.interpreters.scalar_ops import evaluate_scalar_op
from rammer_ir.interpreters.tensor_access import Access, IndexBox, extract_clamped, read
from rammer_ir.locations import describe_op

POINTS_AT_ONCE = 1 << 22
"""Elements of the largest array that is made at once, where the loop dimensions can be cut."""

Lookup = Callable[[SSAValue], Any]


@dataclass(frozen=True)
class TaskLocal:
    """A tensor that each of several tasks has for itself: axis 0 of `array` runs over the tasks."""

    array: Array


TensorValue = Array | TaskLocal


def tensor_data(value: TensorValue) -> Array:
    """The array of a tensor, or that of all tasks' tensors."""
    return value.array if isinstance(value, TaskLocal) else value


def evaluate_generic(op: rop.GenericOp, lookup: Lookup) -> tuple[Array, ...]:
    """
    The results of a generic, as new arrays; elements that are neither written nor in `into` are poisoned.

    `lookup` gives the values of operands and of values from around the op: arrays for tensors, numbers for indices.
    Raises RammerError for a read out of range without a pad, and for an element that is written twice.
    """
    if op.into:
        results = [cast("Array", lookup(value)).copy() for value in op.into]
    else:
        results = [poisoned(shape_of(result.type), tensor_dtype(result.type)) for result in op.res]
    GenericEvaluation(op, lookup, tuple(results), None).run()
    return tuple(results)


@dataclass(frozen=True)
class GenericEvaluation:
    """
    One evaluation of a generic, which writes into `results`; these hold their contents before.

    With a number of `tasks`, the generic is evaluated for that many at once: `lookup` gives for an index either a
    number or an array with one for each task, for a tensor an array that all tasks read or a `TaskLocal`; a result
    that is an array is shared by the tasks. The axes of the evaluation are the tasks, then the loop dimensions.
    """

    op: rop.GenericOp
    lookup: Lookup
    results: tuple[TensorValue, ...]
    tasks: int | None

    def run(self) -> None:
        """Read everything, then write the results. Raises RammerError as `evaluate_generic` does."""
        try:
            with np.errstate(all="ignore"):
                self._run()
        except RammerError as error:
            error.location = error.location or describe_op(self.op)
            raise

    def _run(self) -> None:
        first = len(self.extents) - len(self.op.bounds)
        loops = frozenset(axis for axis in range(first, len(self.extents)) if self.extents[axis] > 1)
        sinks = [
            ResultSink(tensor_data(result), access, loops - access.axes, combiner)
            for result, access, combiner in zip(self.results, self.writes, self.op.combiners, strict=True)
        ]
        for box in self.boxes():
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
        return tuple(
            self._without_pad(value) if isinstance(pad, UnitAttr) else constant_array(pad)
            for pad, value in zip(self.op.pads, self.inputs, strict=True)
        )

    def _without_pad(self, value: TensorValue) -> Array | None:
        """A tile may read beyond the tensor it is clipped to, but nothing that is written may depend on it."""
        return poisoned((), tensor_data(value).dtype) if self.op.at else None

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

    def _run_box(self, box: IndexBox, sinks: Sequence[ResultSink]) -> None:
        targets = [sink.target(box, clip=bool(self.op.at)) for sink in sinks]
        if all(target.is_empty for target in targets):
            return
        values: dict[SSAValue, Array] = {
            argument: read(tensor_data(value), access, box, pad)
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
            if isinstance(op, rop.ExtractOp):
                index = tuple(self._value(index, values, box) for index in op.indices)
                element = extract_clamped(cast("Array", self.lookup(op.tensor)), index)
                values[op.result] = element if element.ndim else element.reshape([1] * rank)
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

    def _combined(self, value: SSAValue, values: Mapping[SSAValue, Array], box: IndexBox, sink: ResultSink) -> Array:
        """The yielded value reduced over the sink's axes, which are 1 in the result."""
        owner = value.owner
        if isinstance(owner, Operation) and owner in self._deferred:
            lhs, rhs = (self._value(operand, values, box) for operand in owner.operands)
            return contract(lhs, rhs, box.extents, sink.reduced)
        array = self._value(value, values, box)
        return reduce_axes(array, box.extents, sink.reduced, sink.combiner) if sink.reduced else array

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

    def boxes(self) -> list[IndexBox]:
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
