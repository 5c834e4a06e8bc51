"""The memory of a program: one arena of bytes, the caller's tensors, weights, and words with their flags."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Attribute

from rammer_ir.dialects import block, rtask, vdevice
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.boxes import task_boxes
from rammer_ir.interpreters.element_types import Array, dtype_of, poisoned
from rammer_ir.locations import describe_op

WORD_BYTES = 8
"""What an element takes in words memory: its value and an epoch."""


@dataclass
class DeviceTensor:
    """A tensor in memory. Of words, `written` says which have been written in this launch; other memory has none."""

    data: Array
    written: Array | None = None


@dataclass(frozen=True)
class PinnedTensor:
    """What each vEU of a group keeps of a weight."""

    weight: Array
    box: rtask.BoxAttr

    def kept_by(self, veu: int, shape: tuple[int, ...]) -> Array:
        """
        The weight with poison where this vEU does not keep it; or what it keeps alone, if `shape` is that of the box.

        Raises RammerError for any other shape.
        """
        origin = self.box.origin.data.eval([veu], [])
        low = np.clip(origin, 0, self.weight.shape)
        high = np.clip(np.add(origin, self.box.sizes), 0, self.weight.shape)
        part = tuple(map(slice, low, high))
        if shape == self.weight.shape:
            whole = poisoned(shape, self.weight.dtype)
            whole[part] = self.weight[part]
            return whole
        if shape != self.box.sizes:
            raise RammerError(f"{list(self.box.sizes)} of a weight are pinned, a kernel wants {list(shape)}")
        dense = poisoned(shape, self.weight.dtype)
        dense[tuple(map(slice, high - low))] = self.weight[part]
        return dense


class Arena:
    """The memory of a program's buffers: what shares bytes overlaps here too."""

    def __init__(self, program: vdevice.ProgramOp) -> None:
        buffers = [op for op in program.body.block.ops if isinstance(op, vdevice.BufferOp)]
        ends = [op.offset + buffer_bytes(op) for op in buffers if op.offset is not None]
        needed = max(ends, default=0)
        size = needed if program.arena_bytes is None else program.arena_bytes
        if needed > size:
            raise RammerError(f"buffers end at byte {needed} of an arena of {size}", location=describe_op(program))
        self._bytes = np.full(size, 0xFF, np.uint8)

    def tensor(self, op: vdevice.BufferOp) -> DeviceTensor:
        """A buffer's tensor: a view of the arena, or memory of its own while it has no offset."""
        size = buffer_bytes(op)
        if op.offset is None:
            memory = np.full(size, 0xFF, np.uint8)
        elif op.offset % _element_bytes(op) != 0:
            raise RammerError(f"a buffer at byte {op.offset} is not aligned", location=describe_op(op))
        else:
            memory = self._bytes[op.offset : op.offset + size]
        kind = op.result.type
        elements = memory.view(dtype_of(kind.element_type))
        if block.memory_space(op.result) is not block.MemorySpace.WORDS:
            return DeviceTensor(_shaped(elements, kind))
        values = elements[:: WORD_BYTES // elements.itemsize].reshape(kind.get_shape())
        return DeviceTensor(values, np.zeros(kind.get_shape(), np.bool_))


def buffer_bytes(op: vdevice.BufferOp) -> int:
    """The bytes that a buffer takes."""
    return _span(op.result.type) * _element_bytes(op)


def _element_bytes(op: vdevice.BufferOp) -> int:
    if block.memory_space(op.result) is block.MemorySpace.WORDS:
        return WORD_BYTES
    return dtype_of(op.result.type.element_type).itemsize


def strides_of(kind: MemRefType[Attribute]) -> tuple[int, ...]:
    """Elements from one index to the next in every dimension; raises RammerError for a layout that has no strides."""
    strides = kind.get_strides()
    if strides is None or kind.get_offset() != 0 or any(stride is None for stride in strides):
        raise RammerError(f"the interpreters have no memory laid out as {kind}")
    return tuple(cast("int", stride) for stride in strides)


def _span(kind: MemRefType[Attribute]) -> int:
    """Elements from the first to the last, both included."""
    steps = zip(kind.get_shape(), strides_of(kind), strict=True)
    return 1 + sum((extent - 1) * stride for extent, stride in steps)


def _shaped(elements: Array, kind: MemRefType[Attribute]) -> Array:
    strides = [stride * elements.itemsize for stride in strides_of(kind)]
    return np.lib.stride_tricks.as_strided(elements, kind.get_shape(), strides)


def words_are_written(
    tensor: DeviceTensor, kernel: rtask.KernelOp, box: rtask.BoxAttr, loop: int, tasks: Array
) -> bool:
    """Whether the words that some tasks read, by their box, have been written in this launch."""
    return tensor.written is None or all(bool(part.all()) for part in _parts(tensor.written, kernel, box, loop, tasks))


def mark_words(tensor: DeviceTensor, kernel: rtask.KernelOp, box: rtask.BoxAttr, loop: int, tasks: Array) -> None:
    """Mark the words that some tasks write, by their box; raises RammerError if one has been written already."""
    if tensor.written is None:
        return
    for part in _parts(tensor.written, kernel, box, loop, tasks):
        if part.any():
            raise RammerError(f"a task of @{kernel.sym_name.data} writes words a second time in one launch")
        part[...] = True


def _parts(mask: Array, kernel: rtask.KernelOp, box: rtask.BoxAttr, loop: int, tasks: Array) -> list[Array]:
    boxes = task_boxes(kernel, box, mask.shape, loop, tasks)
    return [mask[tuple(map(slice, low, high))] for low, high in zip(boxes.lows, boxes.highs, strict=True)]
