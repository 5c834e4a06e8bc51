"""Run passes over a program and compare what they print with the CHECK comments in it."""

from io import StringIO
from typing import Protocol

from filecheck.finput import FInput
from filecheck.matcher import Matcher
from filecheck.options import Options
from filecheck.parser import Parser, pattern_for_opts
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.printer import Printer

from rammer_ir.context import new_context
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes


class RunFileCheck(Protocol):
    """The type of `run_filecheck`, for tests that take it as a fixture."""

    def __call__(self, program: str, *pipeline: str | ModulePass, locations: bool = False) -> ModuleOp: ...


def run_filecheck(program: str, *pipeline: str | ModulePass, locations: bool = False) -> ModuleOp:
    """
    Parse and verify the program, apply the passes, verify after each, print, and compare with the CHECK comments.

    A pass is one object, or a text as in `rammer-opt -p`. `locations` has `loc(...)` printed. Gives the final module.
    Raises AssertionError with FileCheck's message and the output where they differ, else what the passes raise.
    """
    context = new_context()
    module = parse_module(context, program)
    run_passes(context, module, [pass_ for part in pipeline for pass_ in _passes(part)])
    output = StringIO()
    Printer(stream=output, print_debuginfo=locations).print_op(module)
    check_text(program, output.getvalue())
    return module


def _passes(part: str | ModulePass) -> tuple[ModulePass, ...]:
    return (part,) if isinstance(part, ModulePass) else parse_pass_pipeline(part)


def check_text(checks: str, text: str) -> None:
    """Compare a text with the CHECK comments in `checks`; raises AssertionError where they differ or there are none."""
    options = Options(match_filename="checks")
    matcher = Matcher(options, FInput("output", text), Parser(options, StringIO(checks), *pattern_for_opts(options)))
    matcher.stderr = StringIO()
    if matcher.run() != 0:
        raise AssertionError(f"{matcher.stderr.getvalue()}\nThe output:\n{text}")
