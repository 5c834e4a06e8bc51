"""Every pass gives its new ops a location: the pass' own FileCheck inputs are run, and no op may come out without."""

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.transforms import get_all_passes as get_xdsl_passes

from rammer_ir.context import new_context
from rammer_ir.locations import is_known
from rammer_ir.lowering import LOWERINGS
from rammer_ir.parsing import LocatingParser
from rammer_ir.pass_pipeline import PassObserver, parse_pass_pipeline, run_passes
from rammer_ir.pass_registry import known_passes
from rammer_ir.passes import PASSES

FILECHECK = Path(__file__).parents[1] / "filecheck"
REWRITES = {**PASSES, **LOWERINGS}
EXPECTS_ERRORS = ("--verify-diagnostics", "--parsing-diagnostics", "not rammer-opt", "RAMMER_INVALID")


def pipelines_of(text: str) -> Iterator[str]:
    """The pass pipelines in the RUN lines of a FileCheck file, less those of runs that are to fail."""
    for line in re.findall(r"RUN:(.*)", text):
        if any(mark in line for mark in EXPECTS_ERRORS):
            continue
        words = shlex.split(line)
        for flag, value in pairwise(words):
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
    pipelines = [pipeline for pipeline in pipelines_of(text) if name in pipeline]
    assert pipelines, f"{path} has no run of {name} that succeeds"
    observer = UnlocatedOps()
    for pipeline in pipelines:
        passes = parse_pass_pipeline(pipeline, {**get_xdsl_passes(), **known_passes()})
        for chunk in text.split("// -----"):
            context = new_context()
            module = LocatingParser(context, chunk, path.name).parse_module()
            run_passes(context, module, passes, observers=[observer])
    assert not observer.found
