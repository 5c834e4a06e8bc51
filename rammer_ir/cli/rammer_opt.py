"""rammer-opt: reads a model or IR, runs passes, prints the result at any level."""

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import IO, ClassVar, NoReturn

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.targets import get_all_targets as get_xdsl_targets
from xdsl.targets.mlir import MLIRTarget
from xdsl.transforms import get_all_passes as get_xdsl_passes
from xdsl.utils.arg_spec import parse_spec
from xdsl.utils.exceptions import ArgSpecParseError
from xdsl.utils.target import Target
from xdsl.xdsl_opt_main import xDSLOptMain

from rammer_ir.cli.instrumentation import IRPrinter, PassTimer
from rammer_ir.cli.plugins import add_others, load_passes, other_universes
from rammer_ir.cli.report import run_tool
from rammer_ir.context import known_dialects
from rammer_ir.errors import InvalidInputError, PassError, RammerError, describe_exception
from rammer_ir.files import write_text_aside
from rammer_ir.lowering.targets import get_all_targets
from rammer_ir.parsing import LocatingParser
from rammer_ir.pass_pipeline import PassObserver, describe_options, parse_pass_pipeline, run_passes
from rammer_ir.pass_registry import known_passes
from rammer_ir.pipelines import PIPELINES

XDSL_PASSES = ("canonicalize", "cse", "dce")
"""xDSL's own passes that are of use on our levels."""

EXAMPLES = """\
examples:
  rammer-opt model.onnx                                   the model as imported
  rammer-opt model.onnx -p optimize-rop,cse -o model.mlir
  rammer-opt model.mlir -p 'set-device{device=h100},persistent' --print-ir-after-all 2> levels.mlir
  rammer-opt model.mlir -p 'set-device{device=h100},persistent' -t 'cuda{arch=sm_90a}' -o model.cu
  rammer-opt model.mlir --load my_passes.py -p 'my-pass{limit=4}' --time-passes
"""


class RammerOptMain(xDSLOptMain):
    """
    xDSL's driver with our dialects, ONNX input, named pipelines, other packages' passes, and messages on stderr.

    Raises RammerError, ParseError or OSError for what the user should see as one line.
    """

    version_format: ClassVar[str] = f"rammer-opt {version('rammer-ir')} (xDSL {{xdsl_version}})"

    passes: tuple[ModulePass, ...]
    target: Target

    def __init__(self, args: Sequence[str] | None = None):
        self.line_offset = 0
        # Files to load come first: the other arguments may name their passes.
        loading = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        loading.add_argument("--load", action="append", default=[])
        for name in loading.parse_known_args(args)[0].load:
            load_passes(name)
        self.universes = dict(other_universes())
        try:
            super().__init__("Reads IR (.mlir) or a model (.onnx), runs passes, and prints the result.", args)
        except ArgSpecParseError as error:
            raise InvalidInputError(f"cannot read the target: {str(error).splitlines()[-1].strip()}") from error

    def register_all_dialects(self) -> None:
        others = {name: universe.all_dialects for name, universe in self.universes.items()}
        for name, factory in add_others("dialect", known_dialects(), others).items():
            self.ctx.register_dialect(name, factory)

    def register_all_passes(self) -> None:
        of_xdsl = get_xdsl_passes()
        own = {**known_passes(), **{name: of_xdsl[name] for name in XDSL_PASSES}}
        others = {name: universe.all_passes for name, universe in self.universes.items()}
        for name, factory in add_others("pass", own, others).items():
            self.register_pass(name, factory)

    def register_all_targets(self) -> None:
        own = {"mlir": get_xdsl_targets()["mlir"], **get_all_targets()}
        others = {name: universe.all_targets for name, universe in self.universes.items()}
        self.target_factories: dict[str, Callable[[], type[Target]]] = add_others("target", own, others)
        self.available_targets.update(self.target_factories)

    def register_all_frontends(self) -> None:
        self.available_frontends["mlir"] = self._parse_mlir
        self.available_frontends["onnx"] = self._import_onnx

    def _parse_mlir(self, stream: IO[bytes]) -> ModuleOp:
        try:
            text = stream.read().decode()
        except UnicodeDecodeError as error:
            raise InvalidInputError(f"not a text file: {error}", location=self.get_input_name()) from error
        parser = LocatingParser(self.ctx, text, self.get_input_name(), self.line_offset)
        return parser.parse_module(not self.args.no_implicit_module)

    def _import_onnx(self, stream: IO[bytes]) -> ModuleOp:
        if self.args.input_file is None or self.args.split_input_file:
            raise InvalidInputError("an ONNX model is read whole from its file: give its path, no --split-input-file")
        from rammer_ir.frontend.onnx_importer import import_model

        return import_model(self.args.input_file).module

    def register_all_arguments(self, arg_parser: argparse.ArgumentParser) -> None:
        def fail(message: str) -> NoReturn:
            raise InvalidInputError(f"{message} (see rammer-opt --help)")

        super().register_all_arguments(arg_parser)
        arg_parser.prog = "rammer-opt"
        arg_parser.formatter_class = argparse.RawDescriptionHelpFormatter
        arg_parser.epilog = f"named pipelines, usable as passes: {', '.join(PIPELINES)}\n\n{EXAMPLES}"
        arg_parser.error = fail
        arg_parser.add_argument(
            "--load",
            metavar="FILE_OR_MODULE",
            action="append",
            help="import a Python file or module that registers passes; may be given several times",
        )
        arg_parser.add_argument(
            "--print-ir-after-all", action="store_true", help="print the IR after each pass on stderr"
        )
        arg_parser.add_argument(
            "--print-ir-after",
            metavar="PASS",
            action="append",
            default=[],
            help="print the IR after this pass on stderr; may be given several times",
        )
        arg_parser.add_argument("--debug", action="store_true", help="show the traceback of an error")

    def setup_pipeline(self) -> None:
        self.passes = parse_pass_pipeline(self.args.passes, self.available_passes)
        names = {pass_.name for pass_ in self.passes}
        for name in self.args.print_ir_after:
            if name not in names:
                raise InvalidInputError(f"--print-ir-after: no pass '{name}' in the pipeline")
        self.target = self._build_target()

    def _build_target(self) -> Target:
        spec = parse_spec(self.args.target)
        cls = self.target_factories[spec.name]()
        try:
            target = cls.from_spec(spec)
        except ValueError as error:
            options = ", ".join(describe_options(cls).values()) or "none"
            raise InvalidInputError(
                f"cannot build '{spec}'; options: {options}", stage=f"target {spec.name}"
            ) from error
        if not isinstance(target, MLIRTarget):
            return target
        return dataclasses.replace(
            target,
            print_generic_format=self.args.print_op_generic,
            print_properties_as_attributes=self.args.print_no_properties,
            print_debuginfo=self.args.print_debuginfo,
            syntax_highlight=self.args.syntax_highlight,
        )

    def prepare_input(self) -> tuple[list[tuple[IO[bytes], int]], str]:
        try:
            return super().prepare_input()
        except ValueError as error:
            raise InvalidInputError(
                f"{error}: expected .mlir or .onnx, or say -f", location=self.get_input_name()
            ) from error

    def parse_chunk(self, chunk: IO[bytes], file_extension: str, start_offset: int = 0) -> ModuleOp | None:
        self.line_offset = start_offset
        return super().parse_chunk(chunk, file_extension, start_offset)

    def apply_passes(self, prog: ModuleOp) -> None:
        timer = PassTimer()
        try:
            run_passes(
                self.ctx,
                prog,
                self.passes,
                verify=not self.args.disable_verify,
                observers=[*self._ir_printers(), timer],
            )
        finally:
            if self.args.time_passes:
                timer.write(sys.stderr)

    def _ir_printers(self) -> list[PassObserver]:
        every = self.args.print_ir_after_all or self.args.print_between_passes
        if not every and not self.args.print_ir_after:
            return []
        only = None if every else self.args.print_ir_after
        return [IRPrinter(sys.stderr, only, self.args.print_op_generic, self.args.print_debuginfo)]

    def output_resulting_program(self, prog: ModuleOp) -> str:
        output = StringIO()
        stage = f"target {self.target.name}"
        try:
            self.target.emit(self.ctx, prog, output)
        except RammerError as error:
            error.stage = error.stage or stage
            raise
        except Exception as error:
            raise PassError(describe_exception(error), stage=stage) from error
        return output.getvalue()

    def prepare_output(self) -> IO[str]:
        return self.output

    def run(self) -> None:
        with self._open_output() as self.output:
            super().run()

    def _open_output(self) -> AbstractContextManager[IO[str]]:
        name: str | None = self.args.output_file
        if name is None or name == "-":
            return contextlib.nullcontext(sys.stdout)
        path = Path(name)
        if path.exists() and not path.is_file() and not path.is_dir():
            return path.open("w", encoding="utf-8")  # a device or a pipe: there is nothing to put in its place
        return write_text_aside(path)


def main(args: Sequence[str] | None = None) -> int:
    """Run rammer-opt with these arguments, or those of the process; its exit code."""
    arguments = sys.argv[1:] if args is None else args

    def run() -> int:
        RammerOptMain(arguments).run()
        return 0

    return run_tool("rammer-opt", run, debug="--debug" in arguments)
