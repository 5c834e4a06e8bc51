"""Loops and branches as C statements."""

from collections.abc import Sequence

from xdsl.dialects import scf
from xdsl.ir import Block, SSAValue

from rammer_ir.dialects.block import StepsOp
from rammer_ir.lowering.targets.c_text import bare
from rammer_ir.lowering.targets.c_types import c_type
from rammer_ir.lowering.targets.c_writer import CWriter


def print_for(printer: CWriter, op: scf.ForOp) -> None:
    """Print a loop. Each loop-carried value is a variable, which holds the loop's result after it."""
    index, *carried = op.body.block.args
    for argument, result, start in zip(carried, op.res, op.iter_args, strict=True):
        name = printer.new_name(result.name_hint or argument.name_hint, "carried")
        printer.keep(argument, name)
        printer.keep(result, name)
        printer.line(f"{c_type(argument.type)} {name} = {bare(printer.value(start))};")
    for pragma in printer.loop_pragmas(op):
        printer.line(f"#pragma {pragma}")
    with printer.scope():
        name = printer.define(index, "i")
        step = printer.value(op.step)
        advance = f"++{name}" if step == "1" else f"{name} += {step}"
        start, end = bare(printer.value(op.lb)), printer.value(op.ub)
        printer.line(f"for ({c_type(index.type)} {name} = {start}; {name} < {end}; {advance}) {{")
        with printer.indented():
            printer.print_block(op.body.block)
            _print_next_values(printer, op.body.block, carried)
    printer.line("}")


def print_steps(printer: CWriter, op: StepsOp) -> None:
    """Print the loop over the steps for which a body is called."""
    with printer.scope():
        name, end = printer.define(op.index, "step"), printer.define(op.end, "end")
        start = "task->iteration"
        printer.line(f"for (int {name} = {start}, {end} = {start} + task->steps; {name} < {end}; ++{name}) {{")
        with printer.indented():
            printer.print_block(op.body.block)
    printer.line("}")


def _print_next_values(printer: CWriter, body: Block, carried: Sequence[SSAValue]) -> None:
    """Assign what the loop yields; all of it is computed before any variable changes."""
    terminator = body.last_op
    assert isinstance(terminator, scf.YieldOp)
    variables = [printer.value(argument) for argument in carried]
    values = [printer.value(operand) for operand in terminator.operands]
    changes = [(variable, value) for variable, value in zip(variables, values, strict=True) if variable != value]
    if len(changes) > 1:
        kinds = [c_type(argument.type) for argument in carried]
        for place, (variable, value) in enumerate(changes):
            temporary = printer.new_name(f"next_{variable}", "next")
            kind = kinds[variables.index(variable)]
            printer.line(f"const {kind} {temporary} = {bare(value)};")
            changes[place] = (variable, temporary)
    for variable, value in changes:
        printer.line(f"{variable} = {bare(value)};")


def print_if(printer: CWriter, op: scf.IfOp) -> None:
    """Print a branch. Each result is a variable that both sides assign."""
    variables: list[str] = []
    for result in op.output:
        variables.append(printer.define(result, "chosen"))
        printer.line(f"{c_type(result.type)} {variables[-1]};")
    printer.line(f"if ({bare(printer.value(op.cond))}) {{")
    _print_side(printer, op.true_region.block, variables)
    if op.false_region.blocks and not _is_empty(op.false_region.block):
        printer.line("} else {")
        _print_side(printer, op.false_region.block, variables)
    printer.line("}")


def _is_empty(side: Block) -> bool:
    return isinstance(side.first_op, scf.YieldOp) and not side.first_op.operands


def _print_side(printer: CWriter, side: Block, variables: list[str]) -> None:
    with printer.scope(), printer.indented():
        printer.print_block(side)
        terminator = side.last_op
        assert isinstance(terminator, scf.YieldOp)
        for variable, operand in zip(variables, terminator.operands, strict=True):
            printer.line(f"{variable} = {bare(printer.value(operand))};")
