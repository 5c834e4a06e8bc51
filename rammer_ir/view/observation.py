"""The timelines of a program, and what the passes did to its IR."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from rammer_ir.context import new_context
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.pass_pipeline import PassObserver, run_passes
from rammer_ir.program import Program
from rammer_ir.runtime.bindings import host_array, scalar_values
from rammer_ir.view.costs import module_of, synchronisation_cost, task_costs
from rammer_ir.view.schedule import PassDifference
from rammer_ir.view.timeline import Timeline, measured, predicted

PREDICTED, MEASURED = "predicted", "measured"

MOST_LINES = 400
"""Lines of a difference that are kept."""


def observe(program: Program, inputs: Mapping[str, object]) -> dict[str, Timeline]:
    """
    The predicted timeline of a program, if its IR is known, and that of one measured run.

    Raises what `Program.trace` raises.
    """
    image = program.image
    shapes = {binding.name: host_array(binding, inputs[binding.name]).shape for binding in image.inputs}
    scalars = scalar_values(image, shapes, inputs)
    timelines: dict[str, Timeline] = {}
    if program.levels:
        module = module_of(program.compiled)
        costs = task_costs(program.compiled, module)
        timelines[PREDICTED] = predicted(image, scalars, costs, synchronisation_cost(module))
    timelines[MEASURED] = measured(program.trace(inputs), scalars)
    return timelines


class _Texts(PassObserver):
    """What each pass makes of the text of a module."""

    def __init__(self, module: ModuleOp) -> None:
        self.found: list[PassDifference] = []
        self._before = str(module).splitlines()

    def after_pass(self, pass_: ModulePass, module: ModuleOp, seconds: float) -> None:
        after = str(module).splitlines()
        lines = list(difflib.unified_diff(self._before, after, lineterm="", n=1))[2:]
        changed = sum(line[:1] in "+-" for line in lines)
        if len(lines) > MOST_LINES:
            lines = [*lines[:MOST_LINES], f" ... {len(lines) - MOST_LINES} lines more"]
        self.found.append(PassDifference(f"{pass_.name}: {changed} lines, {seconds:.2f} s", lines))
        self._before = after


def pass_differences(model: Path, passes: Sequence[ModulePass]) -> list[PassDifference]:
    """What each pass changes in the IR of a model; raises what compiling it raises."""
    imported = import_model(model)
    texts = _Texts(imported.module)
    run_passes(new_context(), imported.module, passes, verify=False, observers=[texts])
    return texts.found
