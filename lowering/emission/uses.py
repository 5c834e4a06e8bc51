"""Uses of kernels by runs: whether the body fits the launch, and the descriptor it is called with."""

from xdsl.dialects.builtin import SymbolRefAttr

from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.dialects.vdevice import ForOp, LaunchOp, RunOp
from rammer_ir.errors import CompileError
from rammer_ir.locations import describe_op
from rammer_ir.lowering.emission.bodies import LoweredBody
from rammer_ir.lowering.emission.descriptors import Place
from rammer_ir.lowering.emission.program_tables import ProgramTables
from rammer_ir.scheduling.program_form import constant_value


def body_of(kernel: KernelOp, tables: ProgramTables) -> tuple[int, LoweredBody]:
    """The number and the lowered form of a kernel's body; raises CompileError if it has none."""
    if kernel.implementation is None:
        raise CompileError(
            f"kernel @{kernel.sym_name.data} has no implementation: run the lowerings to block form first"
        )
    return tables.bodies.body(kernel.implementation.string_value())


def check_budget(body: LoweredBody, launch: LaunchOp) -> None:
    """Raise CompileError unless the launch has what the body needs."""
    name = f"body @{body.body.name}"
    if body.threads != launch.threads:
        raise CompileError(f"{name} is for {body.threads} threads, the launch has {launch.threads}")
    if body.scratch_bytes > launch.scratch_bytes:
        raise CompileError(
            f"{name} needs {body.scratch_bytes} bytes of scratch memory, the launch has {launch.scratch_bytes}"
        )
    if body.slot_bytes is not None and body.slot_bytes > launch.ring_slot_bytes:
        raise CompileError(
            f"{name} takes chunks of {body.slot_bytes} bytes, a slot of the launch has {launch.ring_slot_bytes}"
        )


def check_run(run: RunOp, kernel: KernelOp) -> None:
    """Raise CompileError unless a run gives its kernel what it takes: tasks, tensors, the index of the loop around."""
    name = f"@{kernel.sym_name.data}"
    if run.last > kernel.tasks:
        raise CompileError(f"{name} has {kernel.tasks} tasks, the run goes to {run.last}")
    if (len(run.inputs), len(run.outputs)) != (len(kernel.reads), len(kernel.writes)):
        raise CompileError(
            f"{name} reads {len(kernel.reads)} tensors and writes {len(kernel.writes)}, "
            f"the run gives {len(run.inputs)} and {len(run.outputs)}"
        )
    if len(run.at) != kernel.loops:
        raise CompileError(f"{name} takes {kernel.loops} loop indices, the run gives {len(run.at)}")
    loop = run.parent_op()
    while loop is not None and not isinstance(loop, ForOp):
        loop = loop.parent_op()
    if run.at and run.at[0] is not (None if loop is None else loop.index):
        if loop is not None or constant_value(run.at[0]) is None:
            raise CompileError("a run's loop index must be that of the loop around it, or a constant outside of loops")


def descriptor(run: RunOp, kernel: KernelOp, body: LoweredBody, tables: ProgramTables) -> int:
    """The descriptor by which a run calls its body; raises CompileError where the body may not be called so."""
    constants = () if kernel.constants is None else kernel.constants.data
    _check_counts(run, kernel, body, len(constants))
    inputs = len(run.inputs)
    outputs = inputs + len(constants)
    places: list[Place] = []
    for value, operand in zip(run.inputs, body.operands[:inputs], strict=True):
        tables.places.check_use(value, operand, written=False)
        places.append(tables.places.place(value))
    for symbol, operand in zip(constants, body.operands[inputs:outputs], strict=True):
        places.append(tables.places.constant(_name(symbol), operand))
    for value, operand in zip(run.outputs, body.operands[outputs:], strict=True):
        tables.places.check_use(value, operand, written=True)
        places.append(tables.places.place(value))
    return tables.descriptors.add(places, kernel.parameters, describe_op(run))


def _name(symbol: SymbolRefAttr) -> str:
    return symbol.string_value()


def _check_counts(run: RunOp, kernel: KernelOp, body: LoweredBody, constants: int) -> None:
    operands = len(run.inputs) + constants + len(run.outputs)
    if (operands, len(kernel.parameters)) != (len(body.operands), body.parameters):
        raise CompileError(
            f"body @{body.body.name} takes {len(body.operands)} operands and {body.parameters} parameters, "
            f"it is given {operands} and {len(kernel.parameters)}"
        )
