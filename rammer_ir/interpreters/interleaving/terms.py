"""
Memory that holds terms: every element is a number that stands for how it was computed.

A task's results are a hash of the task and of all that its boxes let it read. Two runs whose outputs are equal here
are equal for every kernel that keeps to its boxes, whatever the numbers; what nothing has written holds poison, which
a seed chooses. So one cheap run says more than one with floats, in which a stale value may happen to be right.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import gcd, prod
from typing import cast
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Attribute, SSAValue

from rammer_ir.dialects import block, vdevice
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.device_memory import WORD_BYTES
from rammer_ir.interpreters.element_types import Array, dtype_of, shape_of
from rammer_ir.interpreters.interleaving.tasks import Operand, Task

Terms = NDArray[np.uint64]

_MOST_CELL_BYTES = 4
_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def mixed(value: int) -> int:
    """The number with its bits well spread: the finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
    return value ^ value >> 31


class TermMemory:
    """
    The memory of one run of a program; `seed` chooses the poison.

    Elements in `unused` are no part of what tasks compute. Raises RammerError for memory that is not dense.
    """

    def __init__(self, program: vdevice.ProgramOp, seed: int, unused: "Unused | None" = None) -> None:
        self._program = program
        self._seed = seed
        self._layout = _Layout(program)
        self._coefficients = _coefficients(self._layout.largest)
        self._arena = _random_terms(np.random.default_rng([seed, 0]), self._layout.arena_cells)
        self._poison: dict[SSAValue, Terms] = {}
        self._views: dict[SSAValue, Terms] = {}
        for number, value in enumerate(program.tensors, 1):
            shape = shape_of(value.type)
            if value in set(program.input_arguments):
                self._views[value] = _random_terms(np.random.default_rng(number), prod(shape)).reshape(*shape, 1)
            else:
                poison = np.random.default_rng([seed, number])
                self._views[value] = _random_terms(poison, prod(shape)).reshape(*shape, 1)
                self._poison[value] = self._views[value].copy()
        for value, (start, shape, cells) in self._layout.buffers.items():
            part = self._arena[start : start + prod(shape) * cells]
            self._views[value] = part.reshape(*shape, cells)
        self._numbers = _numbers(program)
        self._launch_of_stamp: dict[int, int] = {}
        self._unused: Unused = {} if unused is None else unused

    def begin(self, task: Task) -> int:
        """A hash of all plain operands of a task."""
        total = _task_hash(task)
        for position, operand in enumerate(task.reads):
            if not self._is_words(operand.value):
                total = mixed(total ^ self._read(task, position) ^ mixed(position))
        return total

    def words_ready(self, task: Task, launch: int) -> bool:
        """Whether all words that a task reads carry the stamp of this launch."""
        stamp = np.uint64(_stamp(launch))
        for operand in task.reads:
            if self._is_words(operand.value):
                part = self._views[operand.value][operand.box]
                if not bool((part[..., part.shape[-1] // 2 :] == stamp).all()):
                    return False
        return True

    def end(self, task: Task, launch: int, snapshot: int) -> None:
        """Writes the results of a task."""
        total = snapshot
        for position, operand in enumerate(task.reads):
            if self._is_words(operand.value):
                total = mixed(total ^ self._read(task, position) ^ mixed(position))
        for position, operand in enumerate(task.writes):
            part = self._views[operand.value][operand.box]
            start = np.uint64(mixed(total ^ mixed(position + 1000)))
            if self._is_words(operand.value):
                self._launch_of_stamp[_stamp(launch)] = launch
                half = part.shape[-1] // 2
                values = part[..., :half]
                values[...] = (self._coefficients[: values.size] + start).reshape(values.shape)
                part[..., half:] = np.uint64(_stamp(launch))
            else:
                part[...] = (self._coefficients[: part.size] + start).reshape(part.shape)

    def outputs(self) -> list[Array]:
        """The terms of the outputs."""
        return [self._views[value] for value in self._program.output_arguments]

    def untouched(self) -> list[NDArray[np.bool_]]:
        """Where the outputs still hold the poison of the start."""
        return [self._views[value] == self._poison[value] for value in self._program.output_arguments]

    def contents(self) -> bytes:
        """All that may change, to tell states apart."""
        return b"".join([self._arena.tobytes(), *(part.tobytes() for part in self.outputs())])

    def restore(self, contents: bytes) -> None:
        """Brings back what `contents` gave."""
        cells = np.frombuffer(contents, np.uint64)
        start = len(self._arena)
        self._arena[:] = cells[:start]
        for part in self.outputs():
            part[...] = cells[start : start + part.size].reshape(part.shape)
            start += part.size

    def stamps(self, value: SSAValue) -> NDArray[np.int64]:
        """The launch in which each word of a memref was written; -1 where none was."""
        view = self._views[value]
        found = view[..., view.shape[-1] // 2]
        launches = np.full(found.shape, -1, np.int64)
        for stamp, launch in self._launch_of_stamp.items():
            launches[found == np.uint64(stamp)] = launch
        return launches

    def cells(self, operands: Sequence[Operand], *, words: bool | None = None) -> NDArray[np.int64]:
        """The numbers of the cells of buffers and outputs that operands touch, in words or in other memory, or both."""
        parts = [np.zeros(0, np.int64)]
        for operand in operands:
            if operand.value in self._cell_numbers and words in (None, self._is_words(operand.value)):
                parts.append(self._cell_numbers[operand.value][operand.box].reshape(-1))
        return np.unique(np.concatenate(parts))

    @cached_property
    def _cell_numbers(self) -> dict[SSAValue, NDArray[np.int64]]:
        end = len(self._arena)
        numbers: dict[SSAValue, NDArray[np.int64]] = {}
        for value, (start, shape, cells) in self._layout.buffers.items():
            numbers[value] = np.arange(start, start + prod(shape) * cells).reshape(*shape, cells)
        for value in self._program.output_arguments:
            size = self._views[value].size
            numbers[value] = np.arange(end, end + size).reshape(self._views[value].shape)
            end += size
        return numbers

    def _is_words(self, value: SSAValue) -> bool:
        return value in self._layout.words

    def _read(self, task: Task, position: int) -> int:
        operand = task.reads[position]
        owner = operand.value.owner
        if isinstance(owner, vdevice.PinOp):
            return self._read_pinned(owner, task, operand)
        if isinstance(owner, vdevice.WeightOp):
            return _text_hash(f"{owner.weight.string_value()} {operand.origin} {operand.sizes}")
        part = self._views[operand.value][operand.box]
        if self._is_words(operand.value):
            part = part[..., : part.shape[-1] // 2]
        if self._unused:
            unused = self._unused.get(_use(task, position, self._numbers))
            if unused is not None and unused.shape == part.shape[:-1]:
                part = np.where(unused[..., None], np.uint64(0), part)
        return int((part.reshape(-1) * self._coefficients[: part.size]).sum())

    def _read_pinned(self, pin: vdevice.PinOp, task: Task, operand: Operand) -> int:
        """What a vEU has pinned: poison to a task that wants another box, since bodies take it as they find it."""
        kept = tuple(pin.box.origin.data.eval([task.own_veu], []))
        if (kept, pin.box.sizes) != (operand.origin, operand.sizes):
            return mixed(self._seed)
        weight = cast("vdevice.WeightOp", pin.weight.owner).weight.string_value()
        return _text_hash(f"{weight} {kept} {pin.box.sizes}")


Use = tuple[str, int, int, int, int]
"""A read: kernel, task, iteration, position of the operand, and number of the memref in its program."""

Unused = Mapping[Use, NDArray[np.bool_]]
"""Elements of the boxes of reads, in their shapes, that the kernels do not use."""


def unused_elements(program: vdevice.ProgramOp, tasks: Sequence[Task]) -> dict[Use, NDArray[np.bool_]]:
    """
    What of their boxes the tasks of a right program cannot use: what nothing before them in text order writes.

    Boxes are hulls: a step that reads one of two rows that take turns has both in its box.
    """
    numbers = _numbers(program)
    given = {*program.input_arguments}
    written = {value: np.full(shape_of(value.type), value in given) for value in numbers}
    found: dict[Use, NDArray[np.bool_]] = {}
    for task in tasks:
        for position, operand in enumerate(task.reads):
            if operand.value in numbers:
                missing = ~written[operand.value][operand.box]
                if missing.any():
                    found[_use(task, position, numbers)] = missing
        for operand in task.writes:
            written[operand.value][operand.box] = True
    return found


def _numbers(program: vdevice.ProgramOp) -> dict[SSAValue, int]:
    """The memrefs of a program that tasks may write, numbered in text order."""
    buffers = [op.result for op in program.body.block.ops if isinstance(op, vdevice.BufferOp)]
    return {value: number for number, value in enumerate([*program.tensors, *buffers])}


def _use(task: Task, position: int, numbers: Mapping[SSAValue, int]) -> Use:
    name = task.kernel.sym_name.data
    return name, task.index, task.iteration, position, numbers[task.reads[position].value]


class _Layout:
    """Where buffers lie in an arena of cells; a cell holds a term."""

    def __init__(self, program: vdevice.ProgramOp) -> None:
        ops = [op for op in program.body.block.ops if isinstance(op, vdevice.BufferOp)]
        self.words = {op.result for op in ops if block.memory_space(op.result) is block.MemorySpace.WORDS}
        sizes = [self._element_bytes(op.result) for op in ops]
        offsets = [op.offset for op in ops if op.offset is not None]
        cell = gcd(_MOST_CELL_BYTES, *sizes, *offsets)
        end = max([0, *(op.offset + self._bytes(op.result) for op in ops if op.offset is not None)])
        self.buffers: dict[SSAValue, tuple[int, tuple[int, ...], int]] = {}
        """Of each buffer: its first cell, its shape, and the cells of an element."""
        for op, size in zip(ops, sizes, strict=True):
            _check_dense(op.result.type)
            start = end if op.offset is None else op.offset
            end += self._bytes(op.result) if op.offset is None else 0
            self.buffers[op.result] = -(-start // cell), shape_of(op.result.type), size // cell
            end = -(-end // cell) * cell
        self.arena_cells = end // cell
        widest = max([1, *(cells for _, _, cells in self.buffers.values())])
        tensors = [*program.tensors, *self.buffers]
        self.largest = widest * max([1, *(prod(shape_of(value.type)) for value in tensors)])

    def _element_bytes(self, value: SSAValue) -> int:
        kind = cast("MemRefType[Attribute]", value.type)
        return WORD_BYTES if value in self.words else dtype_of(kind.element_type).itemsize

    def _bytes(self, value: SSAValue) -> int:
        return prod(shape_of(value.type)) * self._element_bytes(value)


def _check_dense(kind: MemRefType[Attribute]) -> None:
    strides = kind.get_strides()
    dense = [prod(kind.get_shape()[dim + 1 :]) for dim in range(kind.get_num_dims())]
    if strides is not None and list(strides) != dense:
        raise RammerError(f"terms are kept in dense memory, not in {kind}")


def _random_terms(generator: np.random.Generator, count: int) -> Terms:
    return generator.integers(0, np.iinfo(np.uint64).max, count, np.uint64)


def _coefficients(count: int) -> Terms:
    """Odd numbers, one a position."""
    return _random_terms(np.random.default_rng(1), count) | np.uint64(1)


def _text_hash(text: str) -> int:
    data = text.encode()
    return mixed(crc32(data) << 32 | crc32(data[::-1]))


def _task_hash(task: Task) -> int:
    return _text_hash(f"{task.kernel.sym_name.data} {task.index} {task.iteration}")


def _stamp(launch: int) -> int:
    return mixed(launch + 12345)


__all__ = ["TermMemory", "Unused", "unused_elements"]
