"""What the cost model says of the tasks of a program image."""

from xdsl.dialects.builtin import ModuleOp

from rammer_ir.compiled import CompiledProgram
from rammer_ir.context import new_context
from rammer_ir.cost.device_rates import rates_of
from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.dialects.vdevice import RunOp
from rammer_ir.errors import InvalidInputError
from rammer_ir.locations import describe_op
from rammer_ir.parsing import parse_module
from rammer_ir.scheduling.program_form import device_of, kernels_of


def module_of(compiled: CompiledProgram) -> ModuleOp:
    """The program at the `vdevice` level; raises InvalidInputError for a program whose file kept no IR."""
    level = compiled.levels.get("vdevice")
    if level is None:
        raise InvalidInputError("the program's file holds no IR: save it with keep_ir=True, or give the model")
    return parse_module(new_context(), level) if isinstance(level, str) else level


def task_costs(compiled: CompiledProgram, module: ModuleOp) -> dict[int, float]:
    """Microseconds of a task by its descriptor; descriptors without an estimate are left out."""
    kernels = kernels_of(module)
    by_use: dict[tuple[str, str], float] = {}
    for op in module.walk():
        if isinstance(op, RunOp) and op.cost is not None:
            by_use[_body(kernels[op.kernel.string_value()]), describe_op(op) or ""] = op.cost.microseconds
    costs: dict[int, float] = {}
    image = compiled.image
    for words in image.instructions[image.instructions[:, 0] == 1].tolist():
        use = image.bodies[int(words[1])].name, image.provenance.get(words[2], "")
        if use in by_use:
            costs[words[2]] = by_use[use]
    return costs


def _body(kernel: KernelOp) -> str:
    return "" if kernel.implementation is None else kernel.implementation.string_value()


def synchronisation_cost(module: ModuleOp) -> float:
    """Microseconds that a barrier takes on the module's device; raises PassError where the device has no rates."""
    return rates_of(device_of(module)).barrier_us
