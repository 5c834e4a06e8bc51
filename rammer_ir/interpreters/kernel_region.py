"""What the tasks of an `rtask.kernel` compute, by its region: all tasks at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from xdsl.dialects import tensor
from xdsl.ir import Operation, SSAValue

from rammer_ir.dialects import rop, rtask
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.element_types import Array, poisoned, shape_of, tensor_dtype
from rammer_ir.interpreters.generic import GenericEvaluation, TaskLocal, TensorValue, tensor_data
from rammer_ir.interpreters.scalar_ops import evaluate_scalar_op

Operands = Mapping[SSAValue, int]
"""Which of the kernel's tensors (those read, then those written) a value of its region stands for."""

Observer = Callable[[GenericEvaluation, Operands], None]
"""Sees every generic before it is evaluated."""


def all_tasks(kernel: rtask.KernelOp) -> Array:
    """The linear indices of a kernel's tasks."""
    return np.arange(kernel.tasks)


def coordinates(kernel: rtask.KernelOp, tasks: Array) -> tuple[Array, ...]:
    """The coordinates of tasks in the kernel's grid, from their linear indices: an array along the tasks for each."""
    return tuple(np.asarray(part) for part in np.unravel_index(tasks, kernel.grid))


def run_kernel(
    kernel: rtask.KernelOp,
    reads: Sequence[Array],
    writes: Sequence[Array],
    loop: int = 0,
    tasks: Array | None = None,
    observe: Observer | None = None,
) -> list[Array]:
    """
    The written tensors after some tasks of a kernel (all, unless given by linear index), from their contents before.

    `loop` is the loop index of a kernel that takes one. Each generic of the region is evaluated for all tasks before
    the next, so tasks must not read what others write. Raises RammerError for an element that is written twice.
    """
    run = _KernelRun(kernel, all_tasks(kernel) if tasks is None else tasks, observe)
    indices = (*coordinates(kernel, run.tasks), *[np.asarray(loop)] * kernel.loops)
    run.values.update(zip(kernel.region.block.args, (*indices, *reads, *writes), strict=True))
    with np.errstate(all="ignore"):
        for op in kernel.region.block.ops:
            run.evaluate(op)
    last = kernel.region.block.last_op
    return [] if last is None else [run.written(value) for value in last.operands]


class _KernelRun:
    """The values of a region: numbers (for one or each task), arrays for the kernel's tensors, `TaskLocal`s."""

    def __init__(self, kernel: rtask.KernelOp, tasks: Array, observe: Observer | None) -> None:
        self.tasks = tasks
        self.observe = observe
        self.values: dict[SSAValue, Any] = {}
        self.operands: dict[SSAValue, int] = {
            value: position for position, value in enumerate((*kernel.read_arguments, *kernel.written_arguments))
        }

    def written(self, value: SSAValue) -> Array:
        if value not in self.operands:
            raise RammerError("a kernel yields a tensor that is local to its tasks")
        return self.values[value]

    def evaluate(self, op: Operation) -> None:
        match op:
            case rop.GenericOp():
                self._evaluate_generic(op)
            case tensor.EmptyOp():
                self.values[op.tensor] = poisoned(shape_of(op.tensor.type), tensor_dtype(op.tensor.type))
            case rtask.YieldOp():
                pass
            case _:
                args = tuple(np.asarray(self.values[operand]) for operand in op.operands)
                self.values[op.results[0]] = evaluate_scalar_op(op, args)

    def _evaluate_generic(self, op: rop.GenericOp) -> None:
        results = tuple(self._initial(op, position) for position in range(len(op.res)))
        evaluation = GenericEvaluation(op, self.values.__getitem__, results, len(self.tasks))
        if self.observe is not None:
            self.observe(evaluation, self.operands)
        evaluation.run()
        self.values.update(zip(op.res, results, strict=True))

    def _initial(self, op: rop.GenericOp, position: int) -> TensorValue:
        """A new tensor for a result, with the contents that it has before."""
        if not op.into:
            result = op.res[position]
            return TaskLocal(poisoned((len(self.tasks), *shape_of(result.type)), tensor_dtype(result.type)))
        source = op.into[position]
        before: TensorValue = self.values[source]
        if source in self.operands:
            self.operands[op.res[position]] = self.operands[source]
            return tensor_data(before).copy()
        if isinstance(before, TaskLocal):
            return TaskLocal(before.array.copy())
        return TaskLocal(np.repeat(before[np.newaxis], len(self.tasks), axis=0))


__all__ = ["Observer", "Operands", "all_tasks", "coordinates", "run_kernel"]
