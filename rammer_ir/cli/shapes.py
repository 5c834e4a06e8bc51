"""`--shape`: shapes of inputs that a model leaves open."""

import argparse
from collections.abc import Sequence

from rammer_ir.errors import InvalidInputError


def add_shape_argument(parser: argparse.ArgumentParser) -> None:
    """Adds `--shape` to a command."""
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="NAME=1x3x224x224",
        help="the shape of an input that the model leaves open; may be given several times",
    )


def shapes_of(given: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The shapes by input; raises InvalidInputError for what is none."""
    shapes: dict[str, tuple[int, ...]] = {}
    for text in given:
        name, separator, extents = text.rpartition("=")
        parts = extents.split("x") if extents else []
        if not separator or not name or not all(part.isdecimal() and len(part) < 19 for part in parts):
            raise InvalidInputError(f"--shape takes NAME=EXTENTxEXTENT..., such as x=1x3x224x224, not '{text}'")
        shapes[name] = tuple(int(part) for part in parts)
    return shapes
