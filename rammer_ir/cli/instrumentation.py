"""What rammer-opt shows of a running pipeline: the IR after passes, and how long they took; both on stderr."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import IO

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.printer import Printer

from rammer_ir.pass_pipeline import PassObserver


@dataclass
class IRPrinter(PassObserver):
    """Prints the module after each pass named in `only`, or after every pass if that is None."""

    stream: IO[str]
    only: Collection[str] | None = None
    generic: bool = False
    locations: bool = False

    def after_pass(self, pass_: ModulePass, module: ModuleOp, seconds: float) -> None:
        if self.only is not None and pass_.name not in self.only:
            return
        print(f"// -----// IR Dump After {pass_} //----- //", file=self.stream)
        printer = Printer(stream=self.stream, print_generic_format=self.generic, print_debuginfo=self.locations)
        printer.print_op(module)
        print("\n", file=self.stream, flush=True)


@dataclass
class PassTimer(PassObserver):
    """Collects the wall time of each pass, verification not included."""

    rows: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])

    def after_pass(self, pass_: ModulePass, module: ModuleOp, seconds: float) -> None:
        self.rows.append((str(pass_), seconds))

    def write(self, stream: IO[str]) -> None:
        """Write a table with one row per pass in order and the total."""
        total = sum(seconds for _, seconds in self.rows)
        print("  seconds  percent  pass", file=stream)
        for name, seconds in self.rows:
            share = 100 * seconds / total if total > 0 else 0.0
            print(f"{seconds:9.4f}  {share:7.1f}  {name}", file=stream)
        print(f"{total:9.4f}  {100.0:7.1f}  total", file=stream)
