"""Kernel bodies as source text, and what launches and runs have to know of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from xdsl.dialects import func
from xdsl.dialects.builtin import IntegerAttr, MemRefType, ModuleOp
from xdsl.ir import Attribute, Operation, Region
from xdsl.utils.symbol_table import get_name_if_symbol

from rammer_ir.dialects import block, cuda
from rammer_ir.dialects.block import memref_type
from rammer_ir.errors import CompileError
from rammer_ir.locations import describe_op
from rammer_ir.lowering import convert_block_to_cuda, convert_block_to_scf
from rammer_ir.lowering.convert_block_to_scf import SCRATCH_ATTRIBUTE, THREADS_ATTRIBUTE
from rammer_ir.lowering.element_types import element_bytes
from rammer_ir.lowering.from_block.structure import IN_ORDER_ATTRIBUTE, SERVICE_SUFFIX
from rammer_ir.lowering.targets.c_printer import CPrinter
from rammer_ir.lowering.targets.cpp_printer import CppPrinter
from rammer_ir.lowering.targets.cuda_printer import CudaPrinter
from rammer_ir.runtime.program_image import Body

DeviceKind = Literal["cuda", "host"]

Function = cuda.FuncOp | func.FuncOp
"""A body's function on one of the targets."""


@dataclass(frozen=True)
class LoweredBody:
    """
    A body's text, and its needs: threads of the compute role, bytes of scratch memory, and of the ring's slots.

    `operands` are the types of the arrays it takes, `parameters` counts the integers. `slot_bytes` is None where it
    does not use the ring.
    """

    body: Body
    threads: int
    scratch_bytes: int
    slot_bytes: int | None
    operands: tuple[MemRefType[Attribute], ...]
    parameters: int


def lower_body(op: Operation, service: Operation | None, kind: DeviceKind) -> LoweredBody:
    """
    The text of a body for a kind of device.

    `op` is the body in block form, which is left as it is, or its function on that target; `service` is the function of
    the service role beside it. Raises CompileError where there is no such text.
    """
    functions = _functions(op, service, kind)
    compute = functions[0]
    threads, scratch = _threads(compute), _scratch_bytes(compute)
    is_served = len(functions) > 1
    texts = [_printer(kind).text(function.sym_name.data, function.body) for function in functions]
    kinds = [argument.type for argument in compute.body.block.args[2:]]
    operands = tuple(cast("MemRefType[Attribute]", operand) for operand in kinds if isinstance(operand, MemRefType))
    return LoweredBody(
        body=Body(
            compute.sym_name.data,
            "\n".join(texts),
            is_served,
            in_order=IN_ORDER_ATTRIBUTE in compute.attributes,
            has_steps=any(isinstance(op, block.StepsOp) for op in compute.body.block.ops),
        ),
        threads=threads,
        scratch_bytes=scratch,
        slot_bytes=_slot_bytes(functions[1].body) if is_served else None,
        operands=operands,
        parameters=len(kinds) - len(operands),
    )


def module_bodies(module: ModuleOp, kind: DeviceKind) -> Iterator[LoweredBody]:
    """All bodies of a module that are in block form or lowered for a kind of device; raises as `lower_body` does."""
    symbols = {name: op for op in module.body.block.ops if (name := get_name_if_symbol(op)) is not None}
    for name, op in symbols.items():
        is_host_body = isinstance(op, func.FuncOp) and THREADS_ATTRIBUTE in op.attributes
        is_device_body = isinstance(op, cuda.FuncOp) and op.service is None
        if isinstance(op, block.BodyOp) or is_host_body or is_device_body:
            yield lower_body(op, symbols.get(name + SERVICE_SUFFIX), kind)


def _printer(kind: DeviceKind) -> CPrinter:
    return CudaPrinter() if kind == "cuda" else CppPrinter()


def _functions(op: Operation, service: Operation | None, kind: DeviceKind) -> Sequence[Function]:
    if isinstance(op, block.BodyOp):
        lower = convert_block_to_cuda.functions if kind == "cuda" else convert_block_to_scf.functions
        return lower(op.clone())
    wanted: type[Function] = cuda.FuncOp if kind == "cuda" else func.FuncOp
    if not isinstance(op, wanted):
        raise CompileError(f"{op.name} is no kernel body for a {kind} device", location=describe_op(op))
    return [op, service] if isinstance(service, wanted) else [op]


def _threads(function: Function) -> int:
    return function.threads if isinstance(function, cuda.FuncOp) else _attribute(function, THREADS_ATTRIBUTE)


def _scratch_bytes(function: Function) -> int:
    return function.scratch_bytes if isinstance(function, cuda.FuncOp) else _attribute(function, SCRATCH_ATTRIBUTE)


def _attribute(function: func.FuncOp, name: str) -> int:
    value = function.attributes.get(name)
    if not isinstance(value, IntegerAttr):
        raise CompileError(
            f"@{function.sym_name.data} is no kernel body: it has no attribute {name}", location=describe_op(function)
        )
    return cast("IntegerAttr", value).value.data


def _slot_bytes(service: Region) -> int:
    """Bytes of the largest chunk that a service function pushes into the ring."""
    pushes = [op for op in service.walk() if isinstance(op, block.RingPushOp)]
    return max((op.elements * element_bytes(_element(op)) for op in pushes), default=0)


def _element(op: block.RingPushOp) -> Attribute:
    return memref_type(op.weights).element_type
