"""`rammer`: compile models, keep them, run them, and plan their training."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from rammer_ir.cli import (
    compile_model,
    inspect_file,
    plan_model,
    profile_training,
    run_model,
    show_stats,
    simulate_plan,
    train_plan,
    view_schedule,
    zoo,
)
from rammer_ir.cli.report import run_tool
from rammer_ir.errors import InvalidInputError

EXAMPLES = """\
examples:
  rammer run model.onnx
  rammer run model.onnx --device cpu --strategy base --check
  rammer run model.onnx --input image=image.npy --output scores=scores.npy
  rammer run model.onnx --seed 7 --json
  rammer compile model.onnx --device h100 -o model.rammer
  rammer run model.rammer
  rammer inspect model.rammer --bodies
  rammer view model.onnx -o schedule.html --perfetto schedule.json
  rammer stats model.onnx --json
  rammer zoo export mobilenet-v2
  rammer profile graph model.py:make_model --batch 8 -o graph.txt
  rammer profile links -o links.json
  rammer plan graph.txt --profile-batch 1 --global-batch 128 --devices 8,16 --view plan.html
  rammer plan graph.txt --profile-batch 1 --global-batch 128 --devices 8,16 --json > plan.json
  rammer simulate-plan plan.json --warmup B
  rammer train-plan plan.json model.py:make_model --steps 20
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidInputError(f"{message} (see {self.prog} --help)")


def parser() -> argparse.ArgumentParser:
    """The command line of `rammer`."""
    top = _Parser(
        prog="rammer",
        description="Compiles an ONNX model into one statically scheduled program and runs it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--debug", action="store_true", help="print a traceback with an error")
    commands = top.add_subparsers(title="commands", dest="command", required=True, parser_class=_Parser)
    run_model.add_command(commands)
    compile_model.add_command(commands)
    inspect_file.add_command(commands)
    view_schedule.add_command(commands)
    show_stats.add_command(commands)
    profile_training.add_command(commands)
    plan_model.add_command(commands)
    simulate_plan.add_command(commands)
    train_plan.add_command(commands)
    zoo.add_command(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the tool; the exit code is 0, or 1 after an error or a failed check."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    debug = "--debug" in given

    def command() -> int:
        options = parser().parse_args([argument for argument in given if argument != "--debug"])
        return options.execute(options)

    return run_tool("rammer", command, debug=debug)


if __name__ == "__main__":
    sys.exit(main())
