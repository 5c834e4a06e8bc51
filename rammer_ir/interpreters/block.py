"""
Reference semantics of bodies in block form: one task at a time, barriers and asynchronous copies checked.

Parallel loops run as NumPy vectors, one element an iteration; serial loops are Python's. What threads may not rely on
is an error: data of another thread without a barrier between, copies that were not waited for, addresses that are not
aligned, ring slots after their release. Reductions by warps are summed in float64 and rounded once.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from xdsl.dialects import memref

from rammer_ir.dialects import block
from rammer_ir.dialects.block import MemorySpace
from rammer_ir.interpreters.block_code import Code, Compiler
from rammer_ir.interpreters.block_control import CONTROL
from rammer_ir.interpreters.block_memory import AccessTracker, BlockArray
from rammer_ir.interpreters.block_mma import MATRIX_PRODUCTS
from rammer_ir.interpreters.block_ring import WeightRing
from rammer_ir.interpreters.block_state import BlockState
from rammer_ir.interpreters.block_transfers import TRANSFERS
from rammer_ir.interpreters.block_vectors import VECTORS
from rammer_ir.interpreters.element_types import Array


class CompiledBody:
    """A body that is run for several tasks."""

    def __init__(self, body: block.BodyOp) -> None:
        self._threads = body.threads
        self._spaces = [cast("MemorySpace", block.memory_space(argument)) for argument in body.operand_arguments]
        self._written = [
            any(isinstance(use.operation, memref.StoreOp | block.CopyOp) for use in argument.uses)
            for argument in body.operand_arguments
        ]
        compiler = Compiler({**CONTROL, **TRANSFERS, **VECTORS, **MATRIX_PRODUCTS})
        self._service: Code | None = None if body.service is None else compiler.code(body.service.block)
        self._compute = compiler.code(body.compute.block)
        self._slots = compiler.slots

    def run(
        self, operands: Sequence[Array], parameters: Sequence[int], task: int, loop: int = 0, steps: int = 1
    ) -> None:
        """
        Run the body for one task; it writes into the operands, one-dimensional arrays that are contiguous.

        A body with steps is run for so many, from loop index `loop` on.

        Raises RammerError for an access out of range and for whatever the order of threads would decide.
        """
        arrays = [
            BlockArray(values, values.shape, space, tracker=AccessTracker(values.size) if is_written else None)
            for values, space, is_written in zip(operands, self._spaces, self._written, strict=True)
        ]
        arguments = (task, loop, *arrays, *parameters)
        ring = WeightRing()
        with np.errstate(all="ignore"):
            if self._service is not None:
                self._service.run(BlockState(self._slots, self._threads, ring), arguments)
            state = BlockState(self._slots, self._threads, ring, steps)
            self._compute.run(state, arguments)
        state.copies.check_finished()
        ring.check_finished()


def run_body(
    body: block.BodyOp, operands: Sequence[Array], parameters: Sequence[int], task: int, loop: int = 0
) -> None:
    """Run a body for one task, as `CompiledBody.run` does."""
    CompiledBody(body).run(operands, parameters, task, loop)
