"""Vectors of bodies that are written for one thread: neighbouring elements, loaded and computed at once."""

from typing import cast

import numpy as np
from xdsl.dialects import vector
from xdsl.dialects.builtin import VectorType
from xdsl.ir import Attribute

from rammer_ir.errors import RammerError
from rammer_ir.interpreters.block_code import Compiler, Makers, Step
from rammer_ir.interpreters.block_memory import BlockArray
from rammer_ir.interpreters.block_state import BlockState
from rammer_ir.interpreters.element_types import Array, dtype_of


def _elements(state: BlockState, array: BlockArray, slots: tuple[int, ...], count: int) -> Array:
    """The places of neighbouring elements; raises RammerError where they leave the array, or threads differ."""
    first = state.place(array, slots)
    if state.lanes.shape or not isinstance(first, int):
        raise RammerError("vectors belong to a body's one thread: they are not used in parallel loops")
    if first + count > len(array.data):
        raise RammerError(f"a vector of {count} elements at {first} leaves an array of {list(array.shape)}")
    return np.arange(first, first + count)


def _load(compiler: Compiler, op: vector.LoadOp) -> Step:
    source, indices, result = compiler.slot(op.base), compiler.slots_of(op.indices), compiler.slot(op.result)
    (count,) = op.result.type.get_shape()

    def run(state: BlockState) -> None:
        array: BlockArray = state.values[source]
        state.values[result] = array.data[_elements(state, array, indices, count)]

    return run


def _store(compiler: Compiler, op: vector.StoreOp) -> Step:
    target, indices, value = compiler.slot(op.base), compiler.slots_of(op.indices), compiler.slot(op.vector)
    (count,) = cast("VectorType[Attribute]", op.vector.type).get_shape()

    def run(state: BlockState) -> None:
        array: BlockArray = state.values[target]
        array.data[_elements(state, array, indices, count)] = state.values[value]

    return run


def _broadcast(compiler: Compiler, op: vector.BroadcastOp) -> Step:
    source, result = compiler.slot(op.source), compiler.slot(op.vector)
    shape, dtype = op.vector.type.get_shape(), dtype_of(op.vector.type.element_type)

    def run(state: BlockState) -> None:
        state.values[result] = np.full(shape, state.values[source], dtype)

    return run


def _multiply_add(compiler: Compiler, op: vector.FMAOp) -> Step:
    factors, addend, result = compiler.slots_of((op.lhs, op.rhs)), compiler.slot(op.acc), compiler.slot(op.res)

    def run(state: BlockState) -> None:
        left, right = (state.values[slot] for slot in factors)
        state.values[result] = left * right + state.values[addend]

    return run


VECTORS: Makers = {
    vector.LoadOp: _load,
    vector.StoreOp: _store,
    vector.BroadcastOp: _broadcast,
    vector.FMAOp: _multiply_add,
}
