"""
Reference semantics of the `vdevice` level: a program run sequentially, in text order.

Text order is itself a legal run, so every wait must be satisfied by what stands before it; one that is not is an error.
Buffers with offsets lie in one array of bytes, so that buffers which share bytes overwrite each other here as well.
"""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from xdsl.dialects.builtin import AffineMapAttr, IndexType, MemRefType, ModuleOp
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.utils.symbol_table import SymbolTable

from rammer_ir.dialects import rtask, vdevice
from rammer_ir.errors import InvalidInputError, RammerError
from rammer_ir.interpreters.bindings import Inputs, as_named, as_stored, bound_arrays
from rammer_ir.interpreters.device_memory import Arena, DeviceTensor, PinnedTensor, mark_words, words_are_written
from rammer_ir.interpreters.element_types import Array, dtype_of, poisoned, shape_of
from rammer_ir.interpreters.events import Counters, wait_rows
from rammer_ir.interpreters.kernel_region import coordinates, run_kernel
from rammer_ir.interpreters.rop import weight_values
from rammer_ir.interpreters.scalar_ops import evaluate_scalar_op
from rammer_ir.locations import describe_op


def run_module(module: ModuleOp, inputs: Inputs, weights: Mapping[str, Array], entry: str = "main") -> list[Array]:
    """
    The outputs of a program of the module.

    `inputs` gives an array for every input and every run-time length, by name or by position (lengths come after the
    input tensors); `weights` one for every weight that is not derived. Raises InvalidInputError for arrays that are
    missing or wrong, and RammerError for a wait that is not satisfied and for whatever kernels refuse.
    """
    program = SymbolTable(module).lookup(entry)
    if not isinstance(program, vdevice.ProgramOp):
        raise InvalidInputError(f"the module has no program @{entry}")
    return ProgramRun(module, program, weights).run(inputs)


class ProgramRun:
    """One run of a program: its memory, and the walk over its text."""

    def __init__(self, module: ModuleOp, program: vdevice.ProgramOp, weights: Mapping[str, Array]) -> None:
        self._symbols = SymbolTable(module)
        self._program = program
        used = [op.weight.string_value() for op in program.body.block.ops if isinstance(op, vdevice.WeightOp)]
        self._weights = dict(zip(used, weight_values(module, weights, used), strict=True))
        self._arena = Arena(program)
        self._values: dict[SSAValue, Any] = {}

    def run(self, inputs: Inputs) -> list[Array]:
        """The outputs for some inputs; a run starts with poisoned memory, so each needs an object of its own."""
        self._bind(inputs)
        with np.errstate(all="ignore"):
            self._walk(self._program.body.block)
        first = len(self._program.input_arguments)
        elements = map(self._program.element_type_name, self._program.names[first : len(self._program.tensors)])
        return [
            as_named(cast("DeviceTensor", self._values[value]).data, element)
            for value, element in zip(self._program.output_arguments, elements, strict=True)
        ]

    def _bind(self, inputs: Inputs) -> None:
        names: dict[SSAValue, str] = dict(zip(self._program.body.block.args, self._program.names, strict=True))
        given: list[SSAValue] = [*self._program.input_arguments, *self._program.length_arguments]
        arrays = bound_arrays(inputs, [names[value] for value in given], f"@{self._program.sym_name.data}")
        for value, array in zip(given, arrays, strict=True):
            element = self._program.element_type_name(names[value])
            stored = array if element is None else as_stored(array, element, _memref_dtype(value))
            self._values[value] = _checked(stored, value, names[value])
        for value in self._program.output_arguments:
            self._values[value] = DeviceTensor(poisoned(shape_of(value.type), _memref_dtype(value)))

    def _walk(self, code: Block) -> None:
        for op in code.ops:
            try:
                self._step(op)
            except RammerError as error:
                error.location = error.location or describe_op(op)
                raise

    def _step(self, op: Operation) -> None:
        match op:
            case vdevice.LaunchOp():
                self._launch(op)
            case vdevice.GroupOp():
                self._walk(op.body.block)
            case vdevice.ForOp():
                for iteration in range(int(self._values[op.length])):
                    self._values[op.index] = np.asarray(iteration)
                    self._walk(op.body.block)
            case vdevice.RunOp():
                self._run(op)
            case vdevice.BarrierOp():
                pass
            case _:
                self._values[op.results[0]] = self._declared(op)

    def _declared(self, op: Operation) -> Any:
        match op:
            case vdevice.BufferOp():
                return self._arena.tensor(op)
            case vdevice.WeightOp():
                return DeviceTensor(self._weights[op.weight.string_value()].reshape(shape_of(op.result.type)))
            case vdevice.EventOp():
                return Counters(op.result.type.counters)
            case vdevice.PinOp():
                return PinnedTensor(cast("DeviceTensor", self._values[op.weight]).data, op.box)
            case _:
                args = tuple(np.asarray(self._values[operand]) for operand in op.operands)
                return evaluate_scalar_op(op, args)

    def _launch(self, op: vdevice.LaunchOp) -> None:
        for tensor in self._values.values():
            if isinstance(tensor, DeviceTensor) and tensor.written is not None:
                # A word counts for the launch whose epoch it has.
                tensor.written[...] = False
        self._walk(op.body.block)

    def _run(self, op: vdevice.RunOp) -> None:
        kernel = self._symbols.lookup(op.kernel.string_value())
        if not isinstance(kernel, rtask.KernelOp):
            raise RammerError(f"the module has no kernel {op.kernel}")
        if op.last > kernel.tasks:
            raise RammerError(f"tasks [{op.first}, {op.last}) of a kernel of {kernel.tasks}")
        tasks = np.arange(op.first, op.last)
        veus = placement(op, tasks)
        if self._needs_order(op, kernel, tasks):
            for position in range(len(tasks)):
                self._run_tasks(op, kernel, tasks[position : position + 1], veus[position : position + 1])
        else:
            self._run_tasks(op, kernel, tasks, veus)

    def _needs_order(self, op: vdevice.RunOp, kernel: rtask.KernelOp, tasks: Array) -> bool:
        """Whether tasks wait for what earlier tasks of the same run do."""
        return bool(set(op.waits) & set(op.signals)) or not self._words_are_written(op, kernel, tasks)

    def _words_are_written(self, op: vdevice.RunOp, kernel: rtask.KernelOp, tasks: Array) -> bool:
        pairs = zip(op.inputs, kernel.reads, strict=True)
        tensors = [(self._values[value], box) for value, box in pairs]
        return all(
            words_are_written(tensor, kernel, box, self._loop(op), tasks)
            for tensor, box in tensors
            if isinstance(tensor, DeviceTensor)
        )

    def _loop(self, op: vdevice.RunOp) -> int:
        return int(self._values[op.at[0]]) if op.at else 0

    def _run_tasks(self, op: vdevice.RunOp, kernel: rtask.KernelOp, tasks: Array, veus: Array) -> None:
        """Tasks that do not depend on each other."""
        where, loop = coordinates(kernel, tasks), [self._loop(op)] * len(op.at)
        for event, wait in zip(op.waits, op.wait_maps, strict=True):
            waits = wait_rows(wait, where, loop, tasks, op.first)
            cast("Counters", self._values[event]).check_wait(waits, tasks)
        if not self._words_are_written(op, kernel, tasks):
            raise RammerError(f"task {int(tasks[0])} waits for words that nothing before it has written")
        for chosen in self._batches(op, tasks, veus):
            self._compute(op, kernel, tasks[chosen], int(veus[chosen][0]))
        for value, box in zip(op.outputs, kernel.writes, strict=True):
            mark_words(cast("DeviceTensor", self._values[value]), kernel, box, self._loop(op), tasks)
        for event, signal in zip(op.signals, op.signal_maps, strict=True):
            cast("Counters", self._values[event]).signal(signal.data, where, loop, tasks)

    def _batches(self, op: vdevice.RunOp, tasks: Array, veus: Array) -> list[Array]:
        """Masks of tasks that may run at once: those of one vEU where it matters what a vEU keeps."""
        if any(isinstance(self._values[value], PinnedTensor) for value in op.inputs):
            return [veus == veu for veu in np.unique(veus)]
        return [np.ones(len(tasks), np.bool_)]

    def _compute(self, op: vdevice.RunOp, kernel: rtask.KernelOp, tasks: Array, veu: int) -> None:
        reads = [
            self._read(value, argument, veu) for value, argument in zip(op.inputs, kernel.read_arguments, strict=True)
        ]
        outputs = [cast("DeviceTensor", self._values[value]).data for value in op.outputs]
        for output, argument in zip(outputs, kernel.written_arguments, strict=True):
            _check_shape(output, argument)
        results = run_kernel(kernel, reads, outputs, self._loop(op), tasks)
        for output, result in zip(outputs, results, strict=True):
            output[...] = result

    def _read(self, value: SSAValue, argument: SSAValue, veu: int) -> Array:
        tensor: DeviceTensor | PinnedTensor = self._values[value]
        if isinstance(tensor, PinnedTensor):
            return tensor.kept_by(veu, shape_of(argument.type))
        _check_shape(tensor.data, argument)
        return tensor.data


def placement(op: vdevice.RunOp, tasks: Array) -> Array:
    """The vEU of each of a run's tasks, counted in its group; raises RammerError for one that the group has not."""
    if isinstance(op.place, AffineMapAttr):
        place = np.asarray(op.place.data.eval([cast("int", tasks)], [])[0])
    else:
        place = np.asarray(op.place.get_values())[tasks - op.first]
    veus = np.broadcast_to(place, tasks.shape)
    first, last = vdevice.enclosing_veus(op)
    wrong = (veus < 0) | (veus >= last - first)
    if wrong.any():
        task = int(tasks[wrong][0])
        raise RammerError(f"task {task} is placed on vEU {int(veus[wrong][0])} of {last - first}")
    return veus


def _memref_dtype(value: SSAValue) -> np.dtype[Any]:
    return dtype_of(cast("MemRefType[Attribute]", value.type).element_type)


def _check_shape(tensor: Array, argument: SSAValue) -> None:
    if tensor.shape != shape_of(argument.type):
        raise RammerError(f"a tensor of shape {list(tensor.shape)} is passed for {argument.type}")


def _checked(array: Any, value: SSAValue, name: str) -> Any:
    """An input as the program sees it; raises InvalidInputError if it is not what it should be."""
    values = np.asarray(array)
    if isinstance(value.type, IndexType):
        if values.ndim or values.dtype.kind not in "iu":
            raise InvalidInputError(f"length {name} is not a whole number")
        return values
    if values.shape != shape_of(value.type) or values.dtype != _memref_dtype(value):
        raise InvalidInputError(f"input {name} is {values.dtype}{list(values.shape)}, not of type {value.type}")
    return DeviceTensor(values.copy())


__all__ = ["ProgramRun", "placement", "run_module"]
