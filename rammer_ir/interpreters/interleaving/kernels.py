"""Memory that holds numbers, which tasks compute by the regions of their kernels."""

from collections.abc import Mapping
from typing import cast

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from rammer_ir.dialects import vdevice
from rammer_ir.interpreters.bindings import Inputs
from rammer_ir.interpreters.device_memory import DeviceTensor, PinnedTensor
from rammer_ir.interpreters.element_types import Array, poisoned, shape_of
from rammer_ir.interpreters.interleaving.tasks import Operand, Task
from rammer_ir.interpreters.kernel_region import run_kernel
from rammer_ir.interpreters.vdevice import ProgramRun

Reads = list[Array | None]
"""The operands that a task read when it began; None for words, which it reads later."""


class KernelMemory(ProgramRun):
    """
    The memory of one run of a program on some inputs: buffers and outputs hold poison until they are written.

    What a task reads out of its boxes is poison too. Raises as `run_module` of the `vdevice` level does.
    """

    def __init__(
        self, module: ModuleOp, program: vdevice.ProgramOp, inputs: Inputs, weights: Mapping[str, Array]
    ) -> None:
        super().__init__(module, program, weights)
        self._bind(inputs)
        self._stamps: dict[SSAValue, Array] = {}
        for op in program.walk():
            if isinstance(op, vdevice.BufferOp | vdevice.WeightOp | vdevice.PinOp):
                self._values[op.results[0]] = self._declared(op)
        for value, tensor in self._values.items():
            if isinstance(tensor, DeviceTensor) and tensor.written is not None:
                self._stamps[value] = np.full(tensor.written.shape, -1, np.int64)

    def begin(self, task: Task) -> Reads:
        """The plain operands of a task, copied."""
        return [
            None if operand.value in self._stamps else self._copy(task, number)
            for number, operand in enumerate(task.reads)
        ]

    def words_ready(self, task: Task, launch: int) -> bool:
        """Whether all words that a task reads were written in this launch."""
        words = [operand for operand in task.reads if operand.value in self._stamps]
        return all(bool((self._stamps[operand.value][operand.box] == launch).all()) for operand in words)

    def end(self, task: Task, launch: int, snapshot: Reads) -> None:
        """Computes a task's results and writes them."""
        reads = [self._copy(task, number) if part is None else part for number, part in enumerate(snapshot)]
        outputs = [self._tensor(operand) for operand in task.writes]
        results = run_kernel(task.kernel, reads, outputs, task.iteration, np.array([task.index]))
        for operand, output, result in zip(task.writes, outputs, results, strict=True):
            output[operand.box] = result[operand.box]
            if operand.value in self._stamps:
                self._stamps[operand.value][operand.box] = launch

    def outputs(self) -> list[Array]:
        """The outputs of the program."""
        return [cast("DeviceTensor", self._values[value]).data for value in self._program.output_arguments]

    def _tensor(self, operand: Operand) -> Array:
        return cast("DeviceTensor", self._values[operand.value]).data

    def _copy(self, task: Task, number: int) -> Array:
        operand = task.reads[number]
        tensor = self._values[operand.value]
        if isinstance(tensor, PinnedTensor):
            return tensor.kept_by(task.own_veu, shape_of(task.kernel.read_arguments[number].type))
        data = self._tensor(operand)
        copied = poisoned(data.shape, data.dtype)
        copied[operand.box] = data[operand.box]
        return copied
