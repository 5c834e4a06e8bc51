"""Whether a kernel's tasks touch what their boxes say."""

from dataclasses import dataclass

import numpy as np
from xdsl.ir import SSAValue

from rammer_ir.dialects import rtask
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.element_types import Array, shape_of, tensor_dtype
from rammer_ir.interpreters.generic import GenericEvaluation
from rammer_ir.interpreters.kernel_region import Operands, all_tasks, coordinates, run_kernel
from rammer_ir.interpreters.tensor_access import Access, IndexBox, evaluate_map, in_range
from rammer_ir.locations import describe_op


@dataclass(frozen=True)
class TaskBoxes:
    """A box of a kernel for each of its tasks, clipped to its tensor: `lows` and `highs` are [tasks, dimensions]."""

    lows: Array
    highs: Array

    @property
    def elements(self) -> int:
        """Elements in the boxes of all tasks, counted once for each task."""
        return int(np.maximum(self.highs - self.lows, 0).prod(axis=1).sum())


def task_boxes(
    kernel: rtask.KernelOp, box: rtask.BoxAttr, shape: tuple[int, ...], loop: int, tasks: Array
) -> TaskBoxes:
    """The box of each of the tasks given by linear index."""
    origins = evaluate_map(box.origin.data, coordinates(kernel, tasks), [loop] * kernel.loops)
    along_tasks = [np.broadcast_to(origin, tasks.shape) for origin in origins]
    lows = np.array(along_tasks, np.int64).reshape(len(origins), len(tasks)).T
    return TaskBoxes(np.clip(lows, 0, shape), np.clip(lows + np.asarray(box.sizes), 0, shape))


@dataclass(frozen=True)
class BoxCoverage:
    """How much of its boxes a kernel's tasks touch, from 0 to 1 for each tensor read and each tensor written."""

    reads: tuple[float, ...]
    writes: tuple[float, ...]


def check_boxes(kernel: rtask.KernelOp, loop: int = 0) -> BoxCoverage:
    """
    Compare the boxes of a kernel with the elements that its region reads and writes, for every task.

    Raises RammerError if a task touches an element out of its box. Boxes may be larger than what is touched (a border
    that a stride skips): the result says how much of them is.
    """
    tensors = (*kernel.read_arguments, *kernel.written_arguments)
    touched = [
        _Touched(kernel, box, value, loop) for box, value in zip((*kernel.reads, *kernel.writes), tensors, strict=True)
    ]

    def observe(evaluation: GenericEvaluation, operands: Operands) -> None:
        for box in evaluation.boxes():
            _touch(evaluation, operands, touched, box)

    contents = [np.zeros(shape_of(value.type), tensor_dtype(value.type)) for value in tensors]
    split = len(kernel.reads)
    try:
        run_kernel(kernel, contents[:split], contents[split:], loop, observe=observe)
    except RammerError as error:
        error.location = error.location or describe_op(kernel)
        raise
    shares = tuple(part.share() for part in touched)
    return BoxCoverage(shares[:split], shares[split:])


def _touch(evaluation: GenericEvaluation, operands: Operands, touched: list["_Touched"], box: IndexBox) -> None:
    op = evaluation.op
    accesses: list[tuple[SSAValue, Access, str]] = [
        *((value, access, "reads") for value, access in zip(op.inputs, evaluation.reads, strict=True)),
        *((value, access, "writes") for value, access in zip(op.into, evaluation.writes, strict=False)),
    ]
    for value, access, verb in accesses:
        if value in operands:
            touched[operands[value]].add(access, box, verb)


class _Touched:
    """The elements of one tensor that tasks touch: a mask over each task's box."""

    def __init__(self, kernel: rtask.KernelOp, box: rtask.BoxAttr, tensor: SSAValue, loop: int) -> None:
        self.kernel = kernel
        self.box = box
        self.shape = shape_of(tensor.type)
        self.boxes = task_boxes(kernel, box, self.shape, loop, all_tasks(kernel))
        self.mask = np.zeros((kernel.tasks, *box.sizes), np.bool_)

    def add(self, access: Access, box: IndexBox, verb: str) -> None:
        rank = len(box.starts)
        index = access.index(box)
        inside = in_range(index, self.shape)
        tasks = box.indices()[0]
        corner = [-1] + [1] * (rank - 1)
        offsets: list[Array] = []
        for dim, values in enumerate(index):
            low = self.boxes.lows[box.starts[0] : box.stops[0], dim].reshape(corner)
            high = self.boxes.highs[box.starts[0] : box.stops[0], dim].reshape(corner)
            out = (values < low) | (values >= high)
            if inside is not None:
                out = out & inside
            if out.any():
                task = int(np.argwhere(np.broadcast_to(out, np.broadcast_shapes(out.shape, tasks.shape)))[0][0])
                raise RammerError(
                    f"task {box.starts[0] + task} of @{self.kernel.sym_name.data} {verb} by {access.index_map} "
                    f"elements out of its box {self.box}"
                )
            offsets.append(values - low)
        self._mark(tasks, offsets, inside)

    def _mark(self, tasks: Array, offsets: list[Array], inside: Array | None) -> None:
        if inside is None:
            self.mask[(tasks, *offsets)] = True
            return
        shape = np.broadcast_shapes(tasks.shape, inside.shape, *(offset.shape for offset in offsets))
        valid = np.broadcast_to(inside, shape)
        self.mask[tuple(np.broadcast_to(part, shape)[valid] for part in (tasks, *offsets))] = True

    def share(self) -> float:
        return float(np.count_nonzero(self.mask)) / max(self.boxes.elements, 1)


__all__ = ["BoxCoverage", "TaskBoxes", "check_boxes", "task_boxes"]
