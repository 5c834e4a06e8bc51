"""Passes, dialects and targets from elsewhere: files named on the command line, and other packages."""

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TypeVar

from xdsl.universe import Universe

from rammer_ir.errors import InvalidInputError

ENTRY_POINT_GROUP = "xdsl.universe"
OWN_ENTRY_POINTS = frozenset({"xdsl.universe:XDSL_UNIVERSE", "rammer_ir.universe:RAMMER_UNIVERSE"})
"""Of these rammer-opt registers what it needs itself."""

ItemT = TypeVar("ItemT")


def load_passes(name: str) -> None:
    """
    Import a Python file (by its path) or a module (by its name), so that its passes are registered.

    Raises InvalidInputError if it is absent or fails.
    """
    try:
        if name.endswith(".py"):
            _import_file(Path(name))
        else:
            import_module(name)
    except Exception as error:
        raise InvalidInputError(f"cannot load '{name}': {type(error).__name__}: {error}") from error


def _import_file(path: Path) -> None:
    module_name = f"rammer_loaded_{path.stem}"
    spec = spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"not a Python file: {path}")
    module = module_from_spec(spec)
    # Option types are looked up in the module by its name.
    sys.modules[module_name] = module
    spec.loader.exec_module(module)


def other_universes() -> Iterator[tuple[str, Universe]]:
    """
    The universes that other installed packages offer, with the packages' names.

    One that cannot be loaded is left out with a line on stderr: it must not stop the work on ours.
    """
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        if entry_point.value in OWN_ENTRY_POINTS:
            continue
        try:
            universe: object = entry_point.load()
        except Exception as error:
            _warn(f"cannot load the entry point '{entry_point.name}': {type(error).__name__}: {error}")
            continue
        if isinstance(universe, Universe):
            yield entry_point.name, universe
        else:
            _warn(f"the entry point '{entry_point.name}' is not an xdsl.universe.Universe")


def add_others(kind: str, own: Mapping[str, ItemT], others: Mapping[str, Mapping[str, ItemT]]) -> dict[str, ItemT]:
    """
    Our items and those of other packages (package to name to item), by name.

    A name that is taken keeps its first meaning, with a line on stderr.
    """
    merged = dict(own)
    for package, items in others.items():
        for name, item in items.items():
            if name in merged:
                _warn(f"the {kind} '{name}' of '{package}' is left out: the name is taken")
            else:
                merged[name] = item
    return merged


def _warn(message: str) -> None:
    print(f"rammer-opt: warning: {' '.join(message.split())}", file=sys.stderr)
