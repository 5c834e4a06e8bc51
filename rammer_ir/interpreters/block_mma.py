"""Products of matrices that the lanes of a warp hold together."""

import numpy as np

from rammer_ir.dialects import block
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.block_code import Compiler, Makers, Step
from rammer_ir.interpreters.block_lanes import WARP_LANES
from rammer_ir.interpreters.block_state import BlockState
from rammer_ir.interpreters.element_types import Array

DROPPED_BITS = 13
"""Of a float32's mantissa that a tf32 number has not."""


def round_tf32(values: Array) -> Array:
    """The nearest tf32 numbers of float32 values; ties go away from zero, NaN stays NaN."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(1 << DROPPED_BITS - 1)) & _KEPT
    return np.where(np.isnan(values), np.float32(np.nan), rounded.view(np.float32))


_KEPT = np.uint32(0xFFFFFFFF << DROPPED_BITS & 0xFFFFFFFF)


def _truncate_tf32(values: Array) -> Array:
    return (np.asarray(values, np.float32).view(np.uint32) & _KEPT).view(np.float32)


def _round_step(compiler: Compiler, op: block.RoundTf32Op) -> Step:
    value, result = compiler.slot(op.value), compiler.slot(op.result)

    def run(state: BlockState) -> None:
        state.values[result] = round_tf32(np.asarray(state.get(value)))

    return run


def _mma_step(compiler: Compiler, op: block.MmaOp) -> Step:
    x, w, sums = (compiler.slots_of(operands) for operands in (op.x, op.w, op.sums))
    results = compiler.slots_of(op.results_)

    def run(state: BlockState) -> None:
        (iterations,) = state.lanes.shape
        if iterations % WARP_LANES or state.lanes.active is not None:
            raise RammerError("block.mma is for whole warps, all of whose lanes come to it")

        def held(slots: tuple[int, ...]) -> Array:
            """Values by warp, quarter (g), lane of it (t) and number: shape [warps, 8, 4, values]."""
            values = [np.broadcast_to(state.get(slot), (iterations,)) for slot in slots]
            return np.stack(values, axis=-1).reshape(-1, 8, 4, len(slots))

        factors_x = _truncate_tf32(held(x)).reshape(-1, 8, 4, 2, 2).transpose(0, 4, 1, 3, 2).reshape(-1, 16, 8)
        factors_w = _truncate_tf32(held(w)).transpose(0, 3, 2, 1).reshape(-1, 8, 8)
        before = held(sums).reshape(-1, 8, 4, 2, 2).transpose(0, 3, 1, 2, 4).reshape(-1, 16, 8)
        product = factors_x.astype(np.float64) @ factors_w.astype(np.float64)
        total = (before + product).astype(np.float32).reshape(-1, 2, 8, 4, 2).transpose(0, 2, 3, 1, 4)
        for number, slot in enumerate(results):
            state.values[slot] = total.reshape(iterations, 4)[:, number]

    return run


MATRIX_PRODUCTS: Makers = {block.RoundTf32Op: _round_step, block.MmaOp: _mma_step}
