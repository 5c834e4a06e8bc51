"""Functions of bodies as C text: what CUDA C and C++ have in common."""

from abc import abstractmethod
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import partial
from typing import ClassVar, Final

from xdsl.dialects import func, memref, scf
from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Block, Operation, Region, SSAValue

from rammer_ir.dialects import block
from rammer_ir.dialects.block import memory_space
from rammer_ir.errors import CompileError
from rammer_ir.locations import describe_op
from rammer_ir.lowering.from_block.structure import refuse
from rammer_ir.lowering.targets.c_control import print_for, print_if, print_steps
from rammer_ir.lowering.targets.c_expressions import expression, is_expression
from rammer_ir.lowering.targets.c_helpers import HALF, guarded
from rammer_ir.lowering.targets.c_language import Language
from rammer_ir.lowering.targets.c_liveness import dead_ops
from rammer_ir.lowering.targets.c_memory import print_array, print_load, print_ring_op, print_store
from rammer_ir.lowering.targets.c_names import function_name
from rammer_ir.lowering.targets.c_types import has_halves
from rammer_ir.lowering.targets.c_writer import CWriter

_LONGEST_INLINED: Final = 60
"""Characters of an expression that may stand where it is used instead of having a name."""


class CPrinter(CWriter):
    """
    Prints the function of one body. Subclasses say what their target's words for things are.

    Every load and store stands in its own statement, in the IR's order. A value without effects that is used once, in
    the block where it is computed, stands where it is used; others get a name.
    """

    computing_ops: ClassVar[tuple[type[Operation], ...]] = ()
    """Ops of the target that only compute a value."""

    def __init__(self, language: Language) -> None:
        super().__init__(language)
        self._dead: AbstractSet[Operation] = frozenset()

    @abstractmethod
    def function_head(self, name: str) -> str:
        """The declaration of the function of a body."""

    def stored_array(self, op: Operation) -> SSAValue | None:
        """The array that an op writes; None if it writes none."""
        return op.memref if isinstance(op, memref.StoreOp) else None

    def print_op(self, op: Operation) -> None:
        """Print the statements of an op; raises CompileError for an op that has none."""
        match op:
            case scf.ForOp():
                print_for(self, op)
            case scf.IfOp():
                print_if(self, op)
            case memref.LoadOp():
                print_load(self, op)
            case memref.StoreOp():
                print_store(self, op)
            case memref.AllocaOp():
                print_array(self, op)
            case block.RingPushOp() | block.RingWaitOp() | block.RingReleaseOp():
                print_ring_op(self, op)
            case block.StepsOp():
                print_steps(self, op)
            case scf.YieldOp() | func.ReturnOp() | block.YieldOp():
                pass
            case _:
                refuse(op, f"{op.name} has no form in the text of a kernel body")

    def text(self, name: str, body: Region) -> str:
        """The text of the function with this body, and of what it needs beside it; raises CompileError."""
        self._dead = dead_ops(body, self.computing_ops)
        if has_halves(body):
            self.language.helper(HALF)
        self.print_string(f"{self.function_head(function_name(name))} {{")
        with self.indented():
            arguments = self._arguments(body.block)
            takes_chunks = any(isinstance(op, block.RingWaitOp) for op in body.walk())
            if takes_chunks:
                # The reader's position stays in registers until the task is done.
                self.new_name("ring", "ring")
                self.line("rammer::Ring ring(task);")
            for op in body.block.ops:
                self._print_arguments_of(op, arguments)
                self._print_located(op)
            if takes_chunks:
                self.line("ring.close();")
        self.print_string("\n}\n")
        helpers = [guarded(helper, definition) for helper, definition in self.language.helpers.items()]
        return "".join([*helpers, self.output.getvalue()])

    def _arguments(self, body: Block) -> dict[SSAValue, Callable[[], None]]:
        """What defines each argument of a body."""
        task, iteration, *rest = body.args
        operands = [argument for argument in rest if isinstance(argument.type, MemRefType)]
        parameters = rest[len(operands) :]
        return {
            task: partial(self._print_scalar, task, "task->index", "task_index"),
            iteration: partial(self._print_scalar, iteration, "task->iteration", "iteration"),
            **{operand: partial(self._print_operand, operand, number) for number, operand in enumerate(operands)},
            **{
                parameter: partial(
                    self._print_scalar, parameter, f"rammer::parameter(task, {number})", f"parameter_{number}"
                )
                for number, parameter in enumerate(parameters)
            },
        }

    def _print_arguments_of(self, op: Operation, arguments: dict[SSAValue, Callable[[], None]]) -> None:
        """
        Define the arguments that an op, or one inside it, is the first to use.

        What only the end of a body needs then takes no register before.
        """
        used = {operand for nested in op.walk() if nested not in self._dead for operand in nested.operands}
        for argument in [argument for argument in arguments if argument in used]:
            arguments.pop(argument)()

    def _print_scalar(self, argument: SSAValue, value: str, otherwise: str) -> None:
        name = self.new_name(argument.name_hint if argument.name_hint != "task" else None, otherwise)
        self.keep(argument, name)
        self.line(f"const int {name} = {value};")

    def _print_operand(self, operand: SSAValue, number: int) -> None:
        is_written = any(self.stored_array(use.operation) is operand for use in operand.uses)
        kind = self.element_type(operand)
        element = kind if is_written else f"const {kind}"
        pointer = self.operand(element, number, memory_space(operand))
        self.line(f"{element}* {self.define(operand, f'operand_{number}')} = {pointer};")

    def print_block(self, ops: Block) -> None:
        for op in ops.ops:
            self._print_located(op)

    def _print_located(self, op: Operation) -> None:
        """Print an op, unless nobody needs it; an error says where it comes from."""
        if op in self._dead:
            return
        try:
            if is_expression(op):
                self._print_expression(op)
            else:
                self.print_op(op)
        except CompileError as error:
            error.location = error.location or describe_op(op)
            raise

    def _print_expression(self, op: Operation) -> None:
        """Keep an expression for its use, or give it a name here."""
        (result,) = op.results
        text = expression(op, [self.value(operand) for operand in op.operands], self.language)
        if not op.operands or (len(text) <= _LONGEST_INLINED and _is_used_beside(op, result)):
            self.keep(result, text)
        else:
            self.print_definition(result, text)


def _is_used_beside(op: Operation, result: SSAValue) -> bool:
    """Whether a value has one use, by an op of the same block that evaluates it once."""
    use = result.get_user_of_unique_use()
    return use is not None and use.parent is op.parent and not isinstance(use, scf.ForOp)
