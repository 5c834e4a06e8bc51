"""Every pass gives its new ops a location: the pass' own FileCheck inputs are run, and no op may come out without."""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.transforms import get_all_passes as get_xdsl_passes
from xdsl.utils.exceptions import DiagnosticException, ParseError

from rammer_ir.context import new_context
from rammer_ir.locations import is_known
from rammer_ir.lowering import LOWERINGS
from rammer_ir.parsing import LocatingParser
from rammer_ir.pass_pipeline import PassObserver, parse_pass_pipeline, run_passes
from rammer_ir.pass_registry import known_passes
from rammer_ir.passes import PASSES

FILECHECK = Path(__file__).parents[1] / "filecheck"
REWRITES = {**PASSES, **LOWERINGS}


def pipelines_of(text: str) -> Iterator[str]:
    """The pass pipelines in the RUN lines of a FileCheck file."""
    for line in re.findall(r"RUN:(.*)", text):
        for flag, value in pairwise(shlex.split(line)):
            if flag in ("-p", "--passes"):
                yield value


class UnlocatedOps(PassObserver):
    """Collects the ops that one of our passes adds without a location."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._before: set[Operation] = set()

    def before_pass(self, pass_: ModulePass, module: ModuleOp) -> None:
        self._before = {op for op in module.walk() if not is_known(op.location)}

    def after_pass(self, pass_: ModulePass, module: ModuleOp, seconds: float) -> None:
        if pass_.name in REWRITES:
            new = [op for op in module.walk() if not is_known(op.location) and op not in self._before]
            self.found += [f"{pass_.name} adds {op.name}" for op in new]


@pytest.mark.parametrize("name", REWRITES)
def test_new_ops_have_locations(name: str) -> None:
    folders = REWRITES[name].partition(":")[0].split(".")[1:]
    path = FILECHECK.joinpath(*folders).with_suffix(".mlir")
    text = path.read_text(encoding="utf-8")
    observer, succeeded = UnlocatedOps(), 0
    for pipeline in pipelines_of(text):
        passes = parse_pass_pipeline(pipeline, {**get_xdsl_passes(), **known_passes()})
        if name not in {pass_.name for pass_ in passes}:
            continue
        for chunk in text.split("// -----"):
            # Chunks that are to be refused are among them.
            with suppress(DiagnosticException, ParseError):
                context = new_context()
                module = LocatingParser(context, chunk, path.name).parse_module()
                run_passes(context, module, passes, observers=[observer])
                succeeded += 1
    assert succeeded, f"no RUN of {path} shows {name} at work"
    assert not observer.found
