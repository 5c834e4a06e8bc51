"""`rammer zoo`: models that people run, from PyTorch, with random weights."""

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rammer_ir.errors import InvalidInputError

NEEDED = ("torch", "onnxscript")


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:  # pyright: ignore[reportPrivateUsage]
    """Adds `zoo` to the commands of `rammer`."""
    parser = commands.add_parser("zoo", help="models to try: list them, export one from PyTorch to ONNX")
    actions = parser.add_subparsers(title="what to do", dest="action", required=True)
    listing = actions.add_parser("list", help="the models' names, and what they are")
    listing.set_defaults(execute=show_list)
    exporting = actions.add_parser("export", help="write a model as an ONNX file (needs PyTorch)")
    exporting.add_argument("name", help="one of `rammer zoo list`")
    exporting.add_argument("--small", action="store_true", help="few layers and channels: the same ops, in no time")
    exporting.add_argument("-o", "--output", type=Path, metavar="FILE", help="default NAME.onnx")
    exporting.set_defaults(execute=export)


def show_list(options: argparse.Namespace) -> int:
    """Prints a line for each model."""
    from rammer_ir.zoo.catalogue import CATALOGUE

    width = max(map(len, CATALOGUE))
    for name, entry in CATALOGUE.items():
        print(f"{name:{width}}  {entry.summary}")
    return 0


def export(options: argparse.Namespace) -> int:
    """Writes one model."""
    from rammer_ir.zoo.catalogue import CATALOGUE

    entry = CATALOGUE.get(options.name)
    if entry is None:
        raise InvalidInputError(f"there is no model {options.name!r} in the zoo: `rammer zoo list` names them")
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InvalidInputError(f"this needs {' and '.join(missing)}: pip install 'rammer-ir[zoo]'")
    from rammer_ir.zoo.export import export_example, make_example

    path = options.output or Path(f"{options.name}.onnx")
    export_example(make_example(entry, small=options.small), path)
    print(f"{path}: {entry.summary}{', a small form' if options.small else ''}, {path.stat().st_size / 1e6:.1f} MB")
    return 0
