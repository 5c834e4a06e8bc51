"""Memory of bodies in block form: declarations, loads and stores, copies, the weight ring."""

from math import prod

from xdsl.dialects import memref

from rammer_ir.dialects import block
from rammer_ir.dialects.block import MemorySpace
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.block_code import Compiler, Makers, Step
from rammer_ir.interpreters.block_copies import StartedCopy
from rammer_ir.interpreters.block_memory import AccessTracker, BlockArray
from rammer_ir.interpreters.block_state import BlockState
from rammer_ir.interpreters.element_types import dtype_of, poisoned


def _allocate(compiler: Compiler, op: memref.AllocaOp | memref.AllocOp) -> Step:
    kind, space, result = op.memref.type, block.memory_space(op.memref), compiler.slot(op.memref)
    shape, dtype, elements = kind.get_shape(), dtype_of(kind.element_type), prod(kind.get_shape())

    def run(state: BlockState) -> None:
        lanes = state.lanes.shape
        if space is MemorySpace.THREAD:
            data = poisoned((elements, lanes[0] if lanes else state.threads), dtype)
            state.values[result] = BlockArray(data, shape, space, per_lane=True)
        elif space is MemorySpace.SHARED and not lanes:
            tracker = AccessTracker(elements)
            state.values[result] = BlockArray(poisoned((elements,), dtype), shape, space, tracker=tracker)
        else:
            raise RammerError(f"{kind} is not declared here: thread memory, or shared memory outside parallel loops")

    return run


def _load(compiler: Compiler, op: memref.LoadOp) -> Step:
    source, indices, result = compiler.slot(op.memref), compiler.slots_of(op.indices), compiler.slot(op.res)

    def run(state: BlockState) -> None:
        array: BlockArray = state.values[source]
        state.values[result] = state.read(array, state.place(array, indices))

    return run


def _store(compiler: Compiler, op: memref.StoreOp) -> Step:
    target, indices, value = compiler.slot(op.memref), compiler.slots_of(op.indices), compiler.slot(op.value)

    def run(state: BlockState) -> None:
        array: BlockArray = state.values[target]
        if not state.lanes.is_idle:
            state.write(array, state.place(array, indices), state.get(value))

    return run


def _copy(compiler: Compiler, op: block.CopyOp) -> Step:
    source, source_indices = compiler.slot(op.source), compiler.slots_of(op.source_indices)
    target, target_indices = compiler.slot(op.target), compiler.slots_of(op.target_indices)
    elements = op.elements

    def run(state: BlockState) -> None:
        origin: BlockArray = state.values[source]
        destination: BlockArray = state.values[target]
        if not state.lanes.is_idle:
            first = state.place(origin, source_indices, elements)
            state.copy(origin, first, destination, state.place(destination, target_indices, elements), elements)

    return run


def _copy_async(compiler: Compiler, op: block.CopyAsyncOp) -> Step:
    source, source_indices = compiler.slot(op.source), compiler.slots_of(op.source_indices)
    target, target_indices = compiler.slot(op.target), compiler.slots_of(op.target_indices)
    predicate = None if op.predicate is None else compiler.slot(op.predicate)
    elements = op.elements

    def run(state: BlockState) -> None:
        destination: BlockArray = state.values[target]
        to = state.place(destination, target_indices, elements)
        holds = True if predicate is None else state.get(predicate)
        values = state.read_where(state.values[source], source_indices, holds, elements)
        poison = poisoned((), destination.data.dtype)
        for offset, value in enumerate(values):
            state.copies.start(StartedCopy(destination, state.lanes, to + offset, value))
            state.write(destination, to + offset, poison)

    return run


def _commit_copies(compiler: Compiler, op: block.CommitCopiesOp) -> Step:
    return lambda state: state.copies.commit()


def _wait_copies(compiler: Compiler, op: block.WaitCopiesOp) -> Step:
    pending = op.pending

    def run(state: BlockState) -> None:
        for copy in state.copies.finish_all_but(pending):
            with state.using(copy.lanes):
                state.write(copy.target, copy.places, copy.values)

    return run


def _ring_push(compiler: Compiler, op: block.RingPushOp) -> Step:
    weights, address, elements = compiler.slot(op.weights), compiler.slot(op.address), op.elements

    def run(state: BlockState) -> None:
        data, first = state.values[weights].data, int(state.values[address])
        chunk = data[first : first + elements]
        if first < 0 or len(chunk) < elements:
            raise RammerError(f"{elements} weights at {first} leave an array of {len(data)}")
        state.ring.push(chunk.copy())

    return run


def _ring_wait(compiler: Compiler, op: block.RingWaitOp) -> Step:
    result, shape = compiler.slot(op.chunk), op.chunk.type.get_shape()

    def run(state: BlockState) -> None:
        state.values[result] = state.ring.wait(shape)

    return run


def _ring_release(compiler: Compiler, op: block.RingReleaseOp) -> Step:
    return lambda state: state.ring.release()


TRANSFERS: Makers = {
    memref.AllocaOp: _allocate,
    memref.AllocOp: _allocate,
    memref.LoadOp: _load,
    memref.StoreOp: _store,
    block.CopyOp: _copy,
    block.CopyAsyncOp: _copy_async,
    block.CommitCopiesOp: _commit_copies,
    block.WaitCopiesOp: _wait_copies,
    block.RingPushOp: _ring_push,
    block.RingWaitOp: _ring_wait,
    block.RingReleaseOp: _ring_release,
}
