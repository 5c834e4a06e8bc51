"""Whether a kernel's block-form body computes what the kernel's region says."""

from collections.abc import Mapping, Sequence

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.symbol_table import SymbolTable

from rammer_ir.dialects import block, rtask
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.block import CompiledBody
from rammer_ir.interpreters.boxes import task_boxes
from rammer_ir.interpreters.comparison import Tolerance, describe_difference
from rammer_ir.interpreters.element_types import Array, is_float, poisoned, shape_of, tensor_dtype
from rammer_ir.interpreters.kernel_region import all_tasks, run_kernel
from rammer_ir.interpreters.rop import weight_values
from rammer_ir.locations import describe_op


def check_kernel(
    module: ModuleOp,
    kernel: rtask.KernelOp,
    reads: Sequence[Array] | None = None,
    *,
    weights: Mapping[str, Array] | None = None,
    loop: int = 0,
    tasks: Sequence[int] | None = None,
    tolerance: Tolerance | None = None,
) -> None:
    """
    Run tasks of a kernel (all, unless given) by its region and by the body that implements it, on the same tensors.

    `reads` are the tensors read (random numbers where none are given), `weights` the arrays of the body's constants
    that are not derived. Raises RammerError where results differ, and for what `run_kernel` and `run_body` refuse.
    """
    chosen = all_tasks(kernel) if tasks is None else np.asarray(tasks)
    given = random_tensors(kernel) if reads is None else [np.asarray(values) for values in reads]
    before = [poisoned(shape_of(value.type), tensor_dtype(value.type)) for value in kernel.written_arguments]
    expected = run_kernel(kernel, given, before, loop, chosen)
    actual = run_implementation(module, kernel, given, before, weights=weights or {}, loop=loop, tasks=chosen)
    limits = Tolerance() if tolerance is None else tolerance
    for number, (wanted, found) in enumerate(zip(expected, actual, strict=True)):
        difference = describe_difference(wanted, found, limits)
        if difference is not None:
            raise RammerError(
                f"the body of @{kernel.sym_name.data} differs from its region in result {number}: {difference}",
                location=describe_op(kernel),
            )


def run_implementation(
    module: ModuleOp,
    kernel: rtask.KernelOp,
    reads: Sequence[Array],
    writes: Sequence[Array],
    *,
    weights: Mapping[str, Array],
    loop: int = 0,
    tasks: Array | None = None,
) -> list[Array]:
    """As `run_kernel`, by the kernel's implementation instead of its region; raises RammerError if it has none."""
    name = None if kernel.implementation is None else kernel.implementation.string_value()
    body = None if name is None else SymbolTable(module).lookup(name)
    if not isinstance(body, block.BodyOp):
        raise RammerError(f"kernel @{kernel.sym_name.data} has no implementation", location=describe_op(kernel))
    symbols = () if kernel.constants is None else tuple(symbol.string_value() for symbol in kernel.constants)
    constants = [np.ascontiguousarray(values).reshape(-1) for values in weight_values(module, weights, symbols)]
    written = [values.reshape(-1).copy() for values in writes]
    chosen = all_tasks(kernel) if tasks is None else tasks
    code = CompiledBody(body)
    for task in chosen:
        read = [_operand(kernel, body, number, values, int(task), loop) for number, values in enumerate(reads)]
        try:
            code.run([*read, *constants, *written], kernel.parameters, int(task), loop)
        except RammerError as error:
            error.stage = error.stage or f"task {task} of @{kernel.sym_name.data}"
            raise
    return [values.reshape(before.shape) for values, before in zip(written, writes, strict=True)]


def random_tensors(kernel: rtask.KernelOp, seed: int = 0) -> list[Array]:
    """Contents for the tensors that a kernel reads: numbers from -1 to 1, small integers."""
    generator = np.random.default_rng(seed)
    tensors: list[Array] = []
    for value in kernel.read_arguments:
        dtype, shape = tensor_dtype(value.type), shape_of(value.type)
        values = generator.uniform(-1, 1, shape) if is_float(dtype) else generator.integers(0, 2, shape)
        tensors.append(values.astype(dtype))
    return tensors


def _operand(kernel: rtask.KernelOp, body: block.BodyOp, number: int, values: Array, task: int, loop: int) -> Array:
    """A tensor as the body gets it: row-major; of a pinned one, what the task's vEU keeps."""
    if block.memory_space(body.operand_arguments[number]) is not block.MemorySpace.PINNED:
        return np.ascontiguousarray(values).reshape(-1)
    box = kernel.reads.data[number]
    boxes = task_boxes(kernel, box, values.shape, loop, np.asarray([task]))
    kept = poisoned(box.sizes, values.dtype)
    part = values[tuple(map(slice, boxes.lows[0], boxes.highs[0]))]
    kept[tuple(map(slice, part.shape))] = part
    return kept.reshape(-1)
