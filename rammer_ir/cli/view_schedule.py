"""`rammer view`: the schedule of a program, predicted and measured, as a page and for Perfetto."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rammer_ir.cli.observed import add_arguments, opened
from rammer_ir.errors import InvalidInputError
from rammer_ir.files import write_text_aside

if TYPE_CHECKING:
    from rammer_ir.program import Program
    from rammer_ir.view.schedule import PassDifference


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:  # pyright: ignore[reportPrivateUsage]
    """Adds `view` to the commands of `rammer`."""
    parser = commands.add_parser("view", help="write a page that shows what every vEU does when")
    add_arguments(parser)
    parser.add_argument("-o", "--output", type=Path, default=Path("schedule.html"), help="default schedule.html")
    parser.add_argument("--perfetto", type=Path, metavar="FILE.json", help="write a trace for Perfetto, too")
    parser.add_argument("--passes", action="store_true", help="show what every pass changes in the IR (slow)")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Writes the page, and the trace if one is wanted."""
    from rammer_ir.view.observation import observe
    from rammer_ir.view.schedule import chrome_trace, schedule_page

    with opened(options) as (program, inputs):
        timelines = observe(program, inputs)
        origin, report = program.compiled.origin, program.report
        summary = (
            f"strategy {origin.strategy} on {program.device}: {report.operators} rOperators, {report.tasks} rTasks, "
            f"{report.veus} vEUs, {report.launches} launches, {report.barriers} barriers"
        )
        differences = _differences(options, program) if options.passes else []
    page = schedule_page(origin.model, summary, timelines, differences)
    with write_text_aside(options.output) as file:
        file.write(page)
    print(f"{options.output}: {', '.join(f'{name} {line.length:.1f} us' for name, line in timelines.items())}")
    if options.perfetto is not None:
        with write_text_aside(options.perfetto) as file:
            file.write(chrome_trace(timelines))
        print(f"{options.perfetto}: open it at https://ui.perfetto.dev")
    return 0


def _differences(options: argparse.Namespace, program: "Program") -> "list[PassDifference]":
    from rammer_ir.artefact.container import is_container
    from rammer_ir.runtime.selection import select_target
    from rammer_ir.settings import Settings
    from rammer_ir.view.observation import pass_differences

    if is_container(options.model):
        raise InvalidInputError("--passes is for models: a compiled program has run them", location=str(options.model))
    settings = Settings(select_target(program.device), program.strategy, program.precision)
    return pass_differences(options.model, settings.passes)
