"""A `vdevice.program` read as arrays: its memories, and its runs task by task."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import (
    AffineMapAttr,
    FixedBitwidthType,
    IntegerAttr,
    MemRefType,
    ModuleOp,
    StringAttr,
    TensorType,
)
from xdsl.ir import Attribute, Operation, SSAValue

from rammer_ir.dialects.rtask import BoxAttr, KernelOp, Placement
from rammer_ir.dialects.vdevice import BufferOp, DeviceOp, ForOp, LaunchOp, PinOp, ProgramOp, RunOp, enclosing_veus
from rammer_ir.errors import VerificationError
from rammer_ir.locations import describe_op
from rammer_ir.scheduling.boxes import Boxes, Integers
from rammer_ir.scheduling.maps import evaluate, grid_points
from rammer_ir.scheduling.races import Memory

WORD_BYTES = 8
"""An element of a words buffer: value and epoch."""


def kernels_of(module: ModuleOp) -> dict[str, KernelOp]:
    """The kernels of a module by name."""
    return {op.sym_name.data: op for op in module.ops if isinstance(op, KernelOp)}


def programs_of(module: ModuleOp) -> Iterator[ProgramOp]:
    """The programs of a module."""
    return (op for op in module.ops if isinstance(op, ProgramOp))


def launches_of(program: ProgramOp) -> list[LaunchOp]:
    """The launches of a program in text order, those in loops of the host too."""
    return [op for op in program.walk() if isinstance(op, LaunchOp)]


def device_of(module: ModuleOp, name: str | None = None) -> DeviceOp:
    """
    The device of that name, or the only one.

    Raises VerificationError if there is none, or several to choose from.
    """
    devices = [op for op in module.ops if isinstance(op, DeviceOp) and name in (None, op.sym_name.data)]
    if len(devices) == 1:
        return devices[0]
    if name is not None:
        raise VerificationError(f"there is no vdevice.device @{name}: run set-device")
    raise VerificationError(f"{len(devices)} devices in the module, one is needed: run set-device")


def placement(place: Placement, first: int, last: int) -> Integers:
    """The vEU of each of the tasks `first` to `last` (not included), counted from the first of the group."""
    if isinstance(place, AffineMapAttr):
        return evaluate(place.data, np.arange(first, last)[:, None])[:, 0]
    return np.array(place.get_values(), np.int64)


def task_boxes(box: BoxAttr, points: Integers, symbols: Sequence[int], shape: Sequence[int]) -> Boxes:
    """The elements of a tensor of this shape that tasks at these coordinates touch."""
    return Boxes.clipped(evaluate(box.origin.data, points, symbols), box.sizes, shape)


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """The shape of a tensor or a memref."""
    return cast("MemRefType[Attribute] | TensorType[Attribute]", value.type).get_shape()


def element_bytes(value: SSAValue) -> int:
    """
    Bytes that an element of a tensor or memref takes.

    Raises VerificationError for element types without a size.
    """
    shaped = cast("MemRefType[Attribute] | TensorType[Attribute]", value.type)
    if isinstance(shaped, MemRefType) and space_of(value) == "words":
        return WORD_BYTES
    if not isinstance(shaped.element_type, FixedBitwidthType):
        raise VerificationError(f"elements of type {shaped.element_type} have no size")
    return shaped.element_type.size


def space_of(value: SSAValue) -> str:
    """The memory space of a memref; an argument of a program has none."""
    space = cast("MemRefType[Attribute]", value.type).memory_space
    return space.data if isinstance(space, StringAttr) else ""


def constant_value(value: SSAValue) -> int | None:
    """The integer that a value is, if it is a constant."""
    owner = value.owner
    if isinstance(owner, ConstantOp) and isinstance(owner.value, IntegerAttr):
        return owner.value.value.data
    return None


@dataclass(frozen=True, eq=False)
class RunForm:
    """A run as arrays: its tasks' coordinates in the kernel's grid, [n, rank], and their vEUs in the launch, [n]."""

    op: RunOp
    kernel: KernelOp
    points: Integers
    veus: Integers

    @property
    def operands(self) -> Sequence[tuple[SSAValue, BoxAttr, bool]]:
        """Every memref with its box, and whether it is written."""
        reads = [(value, box, False) for value, box in zip(self.op.inputs, self.kernel.reads, strict=True)]
        return [*reads, *((value, box, True) for value, box in zip(self.op.outputs, self.kernel.writes, strict=True))]

    def describe(self, task: int, iteration: int | None = None) -> str:
        """A task of the run as text: kernel, coordinates, iteration, vEU, and the node of the model."""
        coordinates = ", ".join(map(str, self.points[task]))
        when = "" if iteration is None else f" at iteration {iteration}"
        node = describe_op(self.op)
        where = f"vEU {self.veus[task]}" if node is None else f"vEU {self.veus[task]}, {node}"
        return f"@{self.op.kernel.string_value()}[{coordinates}]{when} ({where})"


def read_run(op: RunOp, kernels: Mapping[str, KernelOp]) -> RunForm:
    """
    The run as arrays.

    Raises VerificationError if it does not fit its kernel, or places a task on a vEU that its group does not have.
    """
    name = op.kernel.string_value()
    kernel = kernels.get(name)
    if kernel is None:
        raise VerificationError(f"there is no kernel @{name}", location=describe_op(op))
    _check_operands(op, kernel)
    first, last = enclosing_veus(op)
    veus = placement(op.place, op.first, op.last)
    outside = np.flatnonzero((veus < 0) | (veus >= last - first))
    form = RunForm(op, kernel, grid_points(kernel.grid, op.first, op.last), veus + first)
    if len(outside):
        task = int(outside[0])
        coordinates = ", ".join(map(str, form.points[task]))
        raise VerificationError(
            f"@{name}[{coordinates}] is placed on vEU {veus[task]} of {last - first}", location=describe_op(op)
        )
    return form


def _check_operands(op: RunOp, kernel: KernelOp) -> None:
    name = op.kernel.string_value()
    problem: str | None = None
    if op.last > kernel.tasks:
        problem = f"tasks [{op.first}, {op.last}) of @{name}, which has {kernel.tasks}"
    elif (len(op.inputs), len(op.outputs)) != (len(kernel.reads), len(kernel.writes)):
        problem = (
            f"{len(op.inputs)} inputs and {len(op.outputs)} outputs for @{name}, which reads {len(kernel.reads)} "
            f"and writes {len(kernel.writes)}"
        )
    elif len(op.at) != kernel.loops:
        problem = f"{len(op.at)} loop indices for @{name}, which takes {kernel.loops}"
    elif op.at and (loop := enclosing_loop(op)) is not None and op.at[0] is not loop.index:
        problem = f"@{name} stands in a loop and takes another index"
    else:
        given = [*op.inputs, *op.outputs]
        wanted = [*kernel.read_arguments, *kernel.written_arguments]
        for value, argument in zip(given, wanted, strict=True):
            if space_of(value) != "pinned" and shape_of(value) != shape_of(argument):
                problem = f"@{name} takes {argument.type}, not {value.type}"
    if problem is not None:
        raise VerificationError(problem, location=describe_op(op))


@dataclass(frozen=True)
class ProgramMemory:
    """A memory that a program may write, or takes from its caller: what to call it, and where it lies."""

    value: SSAValue
    name: str
    memory: Memory
    words: bool
    buffer: BufferOp | None
    """The op that declares it, unless it is an argument."""


@dataclass(frozen=True)
class ProgramForm:
    """A program, its kernels and its memories; weights, which nothing writes, are left out."""

    op: ProgramOp
    kernels: Mapping[str, KernelOp]
    memories: tuple[ProgramMemory, ...]

    @cached_property
    def numbers(self) -> dict[SSAValue, int]:
        """The position of each memory's value in `memories`."""
        return {memory.value: number for number, memory in enumerate(self.memories)}

    @cached_property
    def runs(self) -> dict[RunOp, RunForm]:
        """All runs of the program, in text order."""
        return {op: read_run(op, self.kernels) for op in self.op.walk() if isinstance(op, RunOp)}


def read_program(module: ModuleOp, program: ProgramOp) -> ProgramForm:
    """The program with its memories; buffers without an offset, and arguments, share bytes with nothing."""
    buffers = [op for op in program.body.block.ops if isinstance(op, BufferOp)]
    free = max([0, *(op.offset + _bytes(op.result) for op in buffers if op.offset is not None)])
    memories: list[ProgramMemory] = []
    for argument, name in zip(program.tensors, program.names, strict=False):
        memories.append(_memory(argument, f"argument '{name}'", free, None))
        free += memories[-1].memory.bytes
    for position, op in enumerate(buffers):
        hint = op.result.name_hint
        name = f"buffer {position}" if hint is None else f"buffer %{hint}"
        memories.append(_memory(op.result, name, free if op.offset is None else op.offset, op))
        free += memories[-1].memory.bytes
    return ProgramForm(program, kernels_of(module), tuple(memories))


def _memory(value: SSAValue, name: str, address: int, buffer: BufferOp | None) -> ProgramMemory:
    memory = Memory(shape_of(value), element_bytes(value), address)
    return ProgramMemory(value, name, memory, space_of(value) == "words", buffer)


def _bytes(value: SSAValue) -> int:
    return Memory(shape_of(value), element_bytes(value), 0).bytes


def enclosing_loop(op: Operation) -> ForOp | None:
    """The periodic part that an op stands in."""
    parent = op.parent_op()
    while parent is not None and not isinstance(parent, ForOp):
        parent = parent.parent_op()
    return parent


def pin_of(value: SSAValue) -> PinOp | None:
    """The op that pins a weight, if the value is a pinned one."""
    return value.owner if isinstance(value.owner, PinOp) else None
