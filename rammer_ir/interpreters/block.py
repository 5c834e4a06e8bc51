"""
Reference semantics of bodies in block form: one task at a time, barriers and asynchronous copies checked.

Parallel loops run as NumPy vectors, one element an iteration; serial loops are Python's. What threads may not rely on
is an error: data of another thread without a barrier between, copies that were not waited for, addresses that are not
aligned, ring slots after their release. Reductions by warps are summed in float64 and rounded once.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from xdsl.dialects import memref, scf
from xdsl.ir import Block, Operation, SSAValue

from rammer_ir.dialects import block
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.block_copies import PendingCopies
from rammer_ir.interpreters.block_lanes import Lanes, LaneStack, reduction_lanes, thread_lanes, warp_lanes
from rammer_ir.interpreters.block_memory import AccessTracker, BlockArray, elements_of
from rammer_ir.interpreters.block_ring import WeightRing
from rammer_ir.interpreters.element_types import Array, dtype_of, poisoned
from rammer_ir.interpreters.reductions import narrowed, reduce_axes
from rammer_ir.interpreters.scalar_ops import evaluate_scalar_op
from rammer_ir.locations import describe_op


def run_body(
    body: block.BodyOp, operands: Sequence[Array], parameters: Sequence[int], task: int, loop: int = 0
) -> None:
    """
    Run a body for one task; it writes into the operands, one-dimensional arrays that are contiguous.

    Raises RammerError for an access out of range and for whatever the order of threads would decide.
    """
    arrays = [
        BlockArray(values, values.shape, cast("block.MemorySpace", block.memory_space(argument)))
        for values, argument in zip(operands, body.operand_arguments, strict=True)
    ]
    for array, argument in zip(arrays, body.operand_arguments, strict=True):
        if any(isinstance(use.operation, memref.StoreOp | block.CopyOp) for use in argument.uses):
            array.tracker = AccessTracker(array.data.size)
    arguments = (np.asarray(task), np.asarray(loop), *arrays, *map(np.asarray, parameters))
    ring = WeightRing()
    with np.errstate(all="ignore"):
        if body.service is not None:
            BlockRun(body.threads, ring).run(body.service.block, arguments)
        compute = BlockRun(body.threads, ring)
        compute.run(body.compute.block, arguments)
        compute.copies.check_finished()
    ring.check_finished()


class BlockRun:
    """One role at work on one task."""

    def __init__(self, threads: int, ring: WeightRing) -> None:
        self.threads = threads
        self.ring = ring
        self.copies = PendingCopies()
        self.epoch = 0
        self._values: dict[SSAValue, Any] = {}
        self._stack = LaneStack()
        self._handlers: dict[type[Operation], Callable[[Any], None]] = {
            block.ParallelOp: self._parallel,
            block.WarpReduceOp: self._warp_reduce,
            block.BarrierOp: self._barrier,
            block.CopyOp: self._copy,
            block.CopyAsyncOp: self._copy_async,
            block.CommitCopiesOp: self._commit_copies,
            block.WaitCopiesOp: self._wait_copies,
            block.RingPushOp: self._ring_push,
            block.RingWaitOp: self._ring_wait,
            block.RingReleaseOp: self._ring_release,
            memref.AllocaOp: self._allocate,
            memref.AllocOp: self._allocate,
            memref.LoadOp: self._load,
            memref.StoreOp: self._store,
            scf.ForOp: self._for,
            scf.IfOp: self._if,
        }

    @property
    def lanes(self) -> Lanes:
        """The lanes at work."""
        return self._stack.now

    def run(self, code: Block, arguments: Sequence[Any]) -> tuple[Any, ...]:
        """Run a block to its end; gives what its terminator yields."""
        self._values.update(zip(code.args, arguments, strict=True))
        for op in code.ops:
            handler = self._handlers.get(type(op))
            if handler is not None:
                self._located(handler, op)
            elif isinstance(op, block.YieldOp | scf.YieldOp):
                return tuple(self._values[value] for value in op.operands)
            else:
                args = tuple(self.lanes.aligned(self._values[operand]) for operand in op.operands)
                self._values[op.results[0]] = evaluate_scalar_op(op, args)
        return ()

    def _located(self, handler: Callable[[Any], None], op: Operation) -> None:
        try:
            handler(op)
        except RammerError as error:
            error.location = error.location or describe_op(op)
            raise

    def _get(self, value: SSAValue) -> Array:
        return self.lanes.aligned(self._values[value])

    def _array(self, value: SSAValue) -> BlockArray:
        return self._values[value]

    # Control flow.

    def _parallel(self, op: block.ParallelOp) -> None:
        extent = int(self._values[op.extent])
        make = warp_lanes if op.level is block.Level.WARP else thread_lanes
        if extent > 0:
            with self._stack.use(make(extent, self.threads)):
                self.run(op.body.block, (np.arange(extent),))

    def _for(self, op: scf.ForOp) -> None:
        bounds = tuple(self._get(value) for value in (op.lb, op.ub, op.step))
        carried = tuple(self._values[value] for value in op.iter_args)
        if all(bound.ndim == 0 for bound in bounds):
            for index in range(*map(int, bounds)):
                carried = self.run(op.body.block, (np.asarray(index), *carried))
        else:
            carried = self._for_each_lane(op, bounds, carried)
        self._values.update(zip(op.results, carried, strict=True))

    def _for_each_lane(self, op: scf.ForOp, bounds: tuple[Array, ...], carried: tuple[Array, ...]) -> tuple[Array, ...]:
        """A loop whose bounds differ by lane: as long as one is left, the others take no part."""
        index, upper, step = bounds
        lanes = self.lanes.where(index < upper)
        while not lanes.is_idle:
            with self._stack.use(lanes):
                after = self.run(op.body.block, (index, *carried))
                carried = tuple(self._chosen(lanes.active, a, b) for a, b in zip(after, carried, strict=True))
            index = index + step
            lanes = lanes.where(index < upper)
        return carried

    def _chosen(self, condition: Array | None, yes: Array, no: Array) -> Array:
        if condition is None:
            return yes
        return np.where(condition, self.lanes.aligned(yes), self.lanes.aligned(no))

    def _if(self, op: scf.IfOp) -> None:
        condition = self._get(op.cond)
        if condition.ndim == 0:
            region = op.true_region if bool(condition) else op.false_region
            results = self.run(region.block, ()) if region.first_block is not None else ()
            self._values.update(zip(op.results, results, strict=True))
            return
        branches: list[tuple[Array, ...] | None] = []
        for region, holds in ((op.true_region, condition), (op.false_region, ~condition)):
            lanes = self.lanes.where(holds)
            is_run = region.first_block is not None and not lanes.is_idle
            with self._stack.use(lanes):
                branches.append(self.run(region.block, ()) if is_run else None)
        then, otherwise = branches
        for position, result in enumerate(op.results):
            yes = None if then is None else then[position]
            no = None if otherwise is None else otherwise[position]
            self._values[result] = self._merged(condition, yes, no)

    def _merged(self, condition: Array, yes: Array | None, no: Array | None) -> Array:
        if yes is not None and no is not None:
            return self._chosen(condition, yes, no)
        value = yes if yes is not None else no
        if value is None:
            raise RammerError("a value is chosen where no thread is at work")
        return value

    # Threads together.

    def _barrier(self, op: block.BarrierOp) -> None:
        self.epoch += 1

    def _warp_reduce(self, op: block.WarpReduceOp) -> None:
        extents = self._get(op.extent)
        most = max(int(extents.max()), 1)
        lanes = reduction_lanes(self.lanes, most)
        indices = np.arange(most)[np.newaxis]
        lanes = lanes.where(indices < (extents if extents.ndim == 0 else extents[:, np.newaxis]))
        dtype = dtype_of(op.result.type)
        with self._stack.use(lanes):
            (values,) = self.run(op.body.block, (indices,))
            values = np.broadcast_to(lanes.aligned(values), lanes.shape)
        reduced = reduce_axes(values, lanes.shape, (1,), op.combiner, where=lanes.active)
        self._values[op.result] = narrowed(reduced.reshape(self.lanes.shape), dtype)

    # Memory.

    def _allocate(self, op: memref.AllocaOp | memref.AllocOp) -> None:
        kind = op.memref.type
        shape, dtype = kind.get_shape(), dtype_of(kind.element_type)
        space = block.memory_space(op.memref)
        if space is block.MemorySpace.THREAD:
            lanes = self.lanes.shape[0] if self.lanes.shape else self.threads
            data = poisoned((lanes, elements_of(shape)), dtype)
            self._values[op.memref] = BlockArray(data, shape, space, per_lane=True)
        elif space is block.MemorySpace.SHARED and not self.lanes.shape:
            elements = elements_of(shape)
            data = poisoned((elements,), dtype)
            self._values[op.memref] = BlockArray(data, shape, space, tracker=AccessTracker(elements))
        else:
            raise RammerError(f"{kind} is not declared here: thread memory, or shared memory outside parallel loops")

    def _place(self, array: BlockArray, indices: Sequence[SSAValue], elements: int = 1) -> Array:
        """Where an access starts in the array's data; checked for alignment to so many elements, and for range."""
        place = array.places(tuple(self._get(index) for index in indices), self.lanes.active)
        if elements > 1:
            if self.lanes.active is not None:
                place = np.where(self.lanes.active, place, 0)
            selected = self.lanes.select(place)
            if (selected % elements).any():
                raise RammerError(
                    f"a copy of {elements} elements starts at {int(selected[selected % elements != 0][0])}"
                )
            if selected.size and int(selected.max()) + elements > elements_of(array.shape):
                raise RammerError(f"a copy of {elements} elements leaves an array of {list(array.shape)}")
        return place

    def _read(self, array: BlockArray, place: Array) -> Array:
        if array.tracker is not None:
            array.tracker.note_read(self.lanes.select(place), self.lanes.who(), self.epoch)
        values = array.data[self._lane_index(array, place)]
        if array.space is block.MemorySpace.WORDS and np.isnan(self.lanes.select(np.asarray(values))).any():
            raise RammerError("a thread waits for a word that nothing has written")
        return np.asarray(values)

    def _write(self, array: BlockArray, place: Array, values: Array) -> None:
        lanes = self.lanes
        if array.per_lane:
            self._write_lanes(array, place, values)
            return
        places, stored = lanes.select(place), lanes.select(values)
        if array.tracker is not None:
            array.tracker.note_write(places, lanes.who(), self.epoch)
        array.data[places] = stored
        if places.size > 1 and not np.array_equal(array.data[places], stored, equal_nan=array.data.dtype.kind == "f"):
            raise RammerError("two iterations of a parallel loop write different values to one place")

    def _write_lanes(self, array: BlockArray, place: Array, values: Array) -> None:
        lanes = self.lanes
        if lanes.active is None:
            array.data[self._lane_index(array, place)] = lanes.aligned(values)
        else:
            rows, columns = (lanes.select(part) for part in self._lane_index(array, place))
            array.data[rows, columns] = lanes.select(values)

    def _lane_index(self, array: BlockArray, place: Array) -> tuple[Array, ...]:
        if not array.per_lane:
            return (place,)
        iterations = self.lanes.shape[0] if self.lanes.shape else -1
        if iterations < 0 or iterations > len(array.data) or (self.lanes.is_warp and iterations != len(array.data)):
            raise RammerError("per-thread memory belongs to the iterations of a loop over at most the body's threads")
        return (self.lanes.aligned(np.arange(iterations)), place)

    def _load(self, op: memref.LoadOp) -> None:
        array = self._array(op.memref)
        self._values[op.res] = self._read(array, self._place(array, op.indices))

    def _store(self, op: memref.StoreOp) -> None:
        array = self._array(op.memref)
        if not self.lanes.is_idle:
            self._write(array, self._place(array, op.indices), self._get(op.value))

    def _copy(self, op: block.CopyOp) -> None:
        source, target = self._array(op.source), self._array(op.target)
        first = self._place(source, op.source_indices, op.elements)
        to = self._place(target, op.target_indices, op.elements)
        values = [self._read(source, first + offset) for offset in range(op.elements)]
        for offset, value in enumerate(values):
            self._write(target, to + offset, value)

    # Copies ahead, and the ring.

    def _copy_async(self, op: block.CopyAsyncOp) -> None:
        source, target = self._array(op.source), self._array(op.target)
        to = self._place(target, op.target_indices, op.elements)
        predicate = np.asarray(True) if op.predicate is None else self._get(op.predicate)
        with self._stack.use(self.lanes.where(predicate)):
            first = self._place(source, op.source_indices, op.elements)
            values = [self._read(source, np.where(predicate, first, 0) + k) for k in range(op.elements)]
        poison = poisoned((), target.data.dtype)
        for offset, value in enumerate(values):
            zero = np.zeros((), target.data.dtype)
            self.copies.start(target, self.lanes, to + offset, np.where(predicate, value, zero))
            self._write(target, to + offset, poison)

    def _commit_copies(self, op: block.CommitCopiesOp) -> None:
        self.copies.commit()

    def _wait_copies(self, op: block.WaitCopiesOp) -> None:
        for copy in self.copies.finish_all_but(op.pending):
            with self._stack.use(copy.lanes):
                self._write(copy.target, copy.places, copy.values)

    def _ring_push(self, op: block.RingPushOp) -> None:
        weights, address = self._array(op.weights), int(self._values[op.address])
        chunk = weights.data[address : address + op.elements]
        if address < 0 or len(chunk) < op.elements:
            raise RammerError(f"{op.elements} weights at {address} leave an array of {len(weights.data)}")
        self.ring.push(chunk.copy())

    def _ring_wait(self, op: block.RingWaitOp) -> None:
        kind = op.chunk.type
        self._values[op.chunk] = self.ring.wait(kind.get_shape())

    def _ring_release(self, op: block.RingReleaseOp) -> None:
        self.ring.release()
