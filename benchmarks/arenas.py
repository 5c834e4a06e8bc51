"""
The arena of every network under every strategy, and the most bytes of it that are in use at one time.

    python benchmarks/arenas.py [--models resnet50 lstm] [--output docs/results/arenas.md] [--commit HASH]

Needs no GPU: the programs are those for an H100, scheduled, planned and proved.
"""

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import onnx
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.demo.models import LIGHT_MODELS, light_model, lstm_model
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.pipelines import STRATEGIES
from rammer_ir.scheduling.lifetimes import live_bytes
from rammer_ir.scheduling.program_form import programs_of, read_program

NETWORKS = (*LIGHT_MODELS, "lstm")
LAST_SHARED = "convert-rtask-to-vdevice"
"""What most strategies do up to here is the same, and is done once."""


class Lowering:
    """The programs of one model; those of strategies that begin with the same passes have them in common."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._begun: dict[tuple[str, ...], ModuleOp] = {}

    def program(self, strategy: str) -> ModuleOp:
        """The module at the end of a strategy."""
        passes = parse_pass_pipeline(f"set-device{{device=h100}},{strategy}")
        names = tuple(pass_.name for pass_ in passes)
        shared = names.index(LAST_SHARED) + 1
        if names[:shared] not in self._begun:
            module = import_model(self._model).module
            run_passes(new_context(), module, passes[:shared], verify=False)
            self._begun[names[:shared]] = module
        module = self._begun[names[:shared]].clone()
        run_passes(new_context(), module, passes[shared:], verify=False)
        return module


def cell(module: ModuleOp) -> tuple[str, float]:
    """Megabytes of the arena and what is live of it at most, as text; and the ratio."""
    (program,) = programs_of(module)
    live = live_bytes(read_program(module, program))
    arena = program.arena_bytes or 0
    return f"{arena / 1e6:.2f} / {live / 1e6:.2f} = {arena / live:.2f}", arena / live


def row(name: str, strategies: Sequence[str]) -> tuple[str, float]:
    """One row of the table, and its largest ratio."""
    lowering = Lowering(lstm_model() if name == "lstm" else light_model(name))
    cells = [cell(lowering.program(strategy)) for strategy in strategies]
    return f"| {name} | {' | '.join(text for text, _ in cells)} |", max(ratio for _, ratio in cells)


def main() -> None:
    """Computes and prints, or writes, the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(NETWORKS))
    parser.add_argument("--output", type=Path, help="a Markdown file")
    parser.add_argument("--commit", default="", help="what is measured")
    options = parser.parse_args()
    rows = [f"| model | {' | '.join(STRATEGIES)} |", "|---" * (1 + len(STRATEGIES)) + "|"]
    largest = 0.0
    for name in options.models:
        text, ratio = row(name, STRATEGIES)
        rows.append(text)
        largest = max(largest, ratio)
        print(text, flush=True)
    text = (
        "# Arenas\n\n"
        "MB of the arena / MB of its buffers in use at one time, at most = ratio; programs for an H100, batch 1, fp32. "
        f"The largest ratio is {largest:.2f}. {date.today()}, commit {options.commit}. Script: `benchmarks/arenas.py`."
        "\n\n" + "\n".join(rows) + "\n"
    )
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
