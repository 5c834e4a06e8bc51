"""Reference semantics of the `rtask` level: functions whose operators are dispatches of kernels."""

from collections.abc import Callable, Mapping

from xdsl.dialects.builtin import ModuleOp
from xdsl.interpreter import (
    Interpreter,
    InterpreterFunctions,
    PythonValues,
    ReturnedValues,
    TerminatorValue,
    impl,
    impl_terminator,
    register_impls,
)
from xdsl.utils.symbol_table import SymbolTable

from rammer_ir.dialects import rtask
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.bindings import Inputs
from rammer_ir.interpreters.element_types import Array
from rammer_ir.interpreters.kernel_region import run_kernel
from rammer_ir.interpreters.rop import rop_interpreter, run_function
from rammer_ir.locations import describe_op

Choice = Callable[[rtask.AlternativesOp], int]
"""Which candidate of alternatives is run."""


def first_candidate(op: rtask.AlternativesOp) -> int:
    """The choice that is made where none is given."""
    return 0


def run_module(
    module: ModuleOp,
    inputs: Inputs,
    weights: Mapping[str, Array],
    entry: str = "main",
    choice: Choice = first_candidate,
) -> list[Array]:
    """The results of a function of the module, as `rammer_ir.interpreters.rop.run_module` gives them."""
    interpreter = rop_interpreter(module, weights)
    interpreter.register_implementations(RtaskFunctions(module, choice))
    return run_function(interpreter, inputs, entry)


@register_impls
class RtaskFunctions(InterpreterFunctions):
    """The ops of the `rtask` dialect in a function; kernels run by their regions."""

    def __init__(self, module: ModuleOp, choice: Choice = first_candidate) -> None:
        self._symbols = SymbolTable(module)
        self._choice = choice

    @impl(rtask.DispatchOp)
    def run_dispatch(self, interpreter: Interpreter, op: rtask.DispatchOp, args: PythonValues) -> PythonValues:
        kernel = self._symbols.lookup(op.kernel.string_value())
        if not isinstance(kernel, rtask.KernelOp):
            raise RammerError(f"the module has no kernel {op.kernel}", location=describe_op(op))
        reads, written = args[: len(op.inputs)], args[len(op.inputs) : len(op.inputs) + len(op.into)]
        loop = int(args[-1]) if op.at else 0
        return tuple(run_kernel(kernel, reads, written, loop))

    @impl(rtask.AlternativesOp)
    def run_alternatives(self, interpreter: Interpreter, op: rtask.AlternativesOp, args: PythonValues) -> PythonValues:
        return interpreter.run_ssacfg_region(op.candidates[self._choice(op)], args, op.name)

    @impl_terminator(rtask.YieldOp)
    def run_yield(
        self, interpreter: Interpreter, op: rtask.YieldOp, args: PythonValues
    ) -> tuple[TerminatorValue, PythonValues]:
        return ReturnedValues(args), ()
