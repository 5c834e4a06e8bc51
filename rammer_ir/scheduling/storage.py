"""Which tensors of the task level are the same memory: destination-passing chains share one."""

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import BlockArgument, OpResult, SSAValue

from rammer_ir.dialects.rop import ScanOp
from rammer_ir.dialects.rtask import AlternativesOp, DispatchOp
from rammer_ir.errors import PassError

ENTRY = "main"
"""The function that a model is imported as."""

WAVE_ATTRIBUTE = "wave"
"""The wave of a scan; a dispatch has a property for it."""


def entry_function(module: ModuleOp) -> FuncOp:
    """The model's function; raises PassError if there is none."""
    for op in module.ops:
        if isinstance(op, FuncOp) and op.sym_name.data == ENTRY:
            return op
    raise PassError(f"the module has no func.func @{ENTRY}")


def storage_of(value: SSAValue) -> SSAValue:
    """
    The tensor whose memory a tensor has: where its chain of destinations starts.

    The results of a dispatch are its `into` tensors after it, the last values of a scan its carried tensors, and what a
    region takes is what is passed to it.
    """
    while True:
        before = _one_step_back(value)
        if before is None:
            return value
        value = before


def _one_step_back(value: SSAValue) -> SSAValue | None:
    match value:
        case OpResult(op=DispatchOp() as dispatch):
            return dispatch.into[value.index]
        case OpResult(op=ScanOp() as scan):
            return scan.carried[value.index] if value.index < len(scan.carried) else None
        case BlockArgument():
            match value.owner.parent_op():
                case ScanOp() as scan:
                    return _outside_of_scan(scan, value.index)
                case AlternativesOp() as alternatives:
                    return alternatives.inputs[value.index]
                case _:
                    return None
        case _:
            return None


def _outside_of_scan(scan: ScanOp, argument: int) -> SSAValue | None:
    """What is passed as an argument of a scan's body; a slice of a scanned tensor, or the index, is nothing else."""
    first = 1 + len(scan.scanned)
    return scan.operands[argument] if argument >= first else None
