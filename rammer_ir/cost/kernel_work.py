"""What a task of a kernel does, counted in the kernel's region and boxes."""

from collections.abc import Iterator
from math import inf, prod

import numpy as np
from xdsl.ir import BlockArgument, Operation, SSAValue

from rammer_ir.cost.analytic import TaskWork
from rammer_ir.dialects.rop import Combiner, ExtractOp, GenericOp, GetWeightOp, ScanOp, YieldOp
from rammer_ir.dialects.rop_attributes import Arithmetic
from rammer_ir.dialects.rtask import BoxAttr, DispatchOp, KernelOp
from rammer_ir.scheduling.maps import grid_points
from rammer_ir.scheduling.program_form import element_bytes, shape_of, task_boxes
from rammer_ir.scheduling.storage import storage_of

DIVISION = 8.0
"""Instructions of a division or a square root: about."""

FUNCTION = 16.0
"""Instructions of a function such as exp: about."""

FREE = frozenset({"arith.constant", "rop.index", "rop.yield"})
DIVISIONS = frozenset({"arith.divf", "arith.divsi", "arith.divui", "arith.remf", "math.sqrt", "math.rsqrt"})
CHEAP_FUNCTIONS = frozenset({"math.absf", "math.absi", "math.ceil", "math.floor", "math.fma", "math.copysign"})


def task_work(dispatch: DispatchOp, kernel: KernelOp) -> TaskWork:
    """
    The average work of a dispatch's tasks.

    Weights, and inputs of the model, come from memory once; those of a loop, and everything else, are in the cache.
    Of a tensor that is only read at computed indices, as many elements count as are read.
    """
    points = grid_points(kernel.grid, 0, kernel.tasks)
    cache = memory = 0.0
    for value, argument, box, is_read in _operands(dispatch, kernel):
        boxes = task_boxes(box, points, (0,) * kernel.loops, shape_of(value))
        elements = min(float(np.mean(boxes.volumes())), _most_elements(argument))
        moved = elements * element_bytes(value)
        cache += moved
        if is_read and _is_in_memory(dispatch, value):
            memory += min(moved, prod(shape_of(value)) * element_bytes(value) / kernel.tasks)
    products = _tensor_products(kernel)
    return TaskWork(_operations(kernel) - products, cache, memory, products * _arithmetic(kernel).products)


def _operands(dispatch: DispatchOp, kernel: KernelOp) -> Iterator[tuple[SSAValue, SSAValue, BoxAttr, bool]]:
    for value, argument, box in zip(dispatch.inputs, kernel.read_arguments, kernel.reads, strict=True):
        yield value, argument, box, True
    for value, argument, box in zip(dispatch.into, kernel.written_arguments, kernel.writes, strict=True):
        yield value, argument, box, False


def _most_elements(argument: SSAValue) -> float:
    """What a task reads of a tensor at most, where it is only read at computed indices; else there is no limit."""
    reads = [use.operation for use in argument.uses]
    points = [
        prod(parent.bounds)
        for op in reads
        if isinstance(op, ExtractOp) and isinstance(parent := op.parent_op(), GenericOp)
    ]
    return float(sum(points)) if len(points) == len(reads) else inf


def _is_in_memory(dispatch: DispatchOp, value: SSAValue) -> bool:
    parent = dispatch.parent_op()
    while parent is not None:
        if isinstance(parent, ScanOp):
            return False
        parent = parent.parent_op()
    source = storage_of(value)
    return isinstance(source, BlockArgument) or isinstance(source.owner, GetWeightOp)


def _operations(kernel: KernelOp) -> float:
    """Scalar operations of one task, none of it cut off."""
    return sum(prod(op.bounds) * _operations_a_point(op) for op in kernel.region.walk() if isinstance(op, GenericOp))


def _arithmetic(kernel: KernelOp) -> Arithmetic:
    return Arithmetic.FP32 if kernel.tiling is None else kernel.tiling.arithmetic


def _tensor_products(kernel: KernelOp) -> float:
    """Products of the contraction, if tensor cores compute them."""
    if _arithmetic(kernel) is Arithmetic.FP32:
        return 0.0
    contraction = next(op for op in kernel.region.walk() if isinstance(op, GenericOp))
    return float(prod(contraction.bounds))


def _operations_a_point(generic: GenericOp) -> float:
    count = sum(_instructions(op) for op in generic.body.block.ops)
    last = generic.body.block.last_op
    assert isinstance(last, YieldOp)
    for value, combiner in zip(last.values, generic.combiners, strict=True):
        product = isinstance(value.owner, Operation) and value.owner.name == "arith.mulf"
        if combiner is not Combiner.NONE and not (combiner is Combiner.ADD and product):
            count += 1.0
    return max(count, 1.0)


def _instructions(op: Operation) -> float:
    if op.name in FREE:
        return 0.0
    if op.name in DIVISIONS:
        return DIVISION
    return FUNCTION if op.name.startswith("math.") and op.name not in CHEAP_FUNCTIONS else 1.0
