"""Which passes there are: ours, and those of `register_pass`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

from xdsl.passes import ModulePass

from rammer_ir.lowering import get_all_lowerings
from rammer_ir.passes import get_all_passes

PassFactory = Callable[[], type[ModulePass]]

_registered: dict[str, type[ModulePass]] = {}

PassT = TypeVar("PassT", bound=ModulePass)


@dataclass_transform(frozen_default=True)
def register_pass(cls: type[PassT]) -> type[PassT]:
    """
    A class decorator that makes the class a frozen dataclass and its name known to every pass pipeline.

    Raises ValueError if the name belongs to another pass.
    """
    pass_ = cls if "__dataclass_params__" in cls.__dict__ else dataclass(frozen=True)(cls)
    taken = pass_.name in get_all_passes() or pass_.name in get_all_lowerings()
    earlier = _registered.get(pass_.name)
    # A file that is loaded again replaces its own passes.
    if taken or (earlier is not None and _identity(earlier) != _identity(pass_)):
        raise ValueError(f"there is another pass called '{pass_.name}'")
    _registered[pass_.name] = pass_
    return pass_


def _identity(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def registered_passes() -> dict[str, PassFactory]:
    """The passes that `register_pass` has seen, by name."""

    def factory(cls: type[ModulePass]) -> PassFactory:
        return lambda: cls

    return {name: factory(cls) for name, cls in _registered.items()}


def known_passes() -> dict[str, PassFactory]:
    """Our passes and lowerings, and those that `register_pass` has seen, each with a factory that imports it."""
    return {**get_all_passes(), **get_all_lowerings(), **registered_passes()}
