"""Names to the things they stand for, imported at first use so that the tools start fast."""

from collections.abc import Callable
from importlib import import_module
from typing import TypeVar

T = TypeVar("T")


def _resolve(path: str) -> object:
    module_name, _, attribute = path.partition(":")
    return getattr(import_module(module_name), attribute)


def lazy_class(path: str, base: type[T]) -> Callable[[], type[T]]:
    """
    A factory of the class at `path` ("package.module:Class"), a subclass of `base`.

    Nothing is imported before the call. The factory raises TypeError if there is something else at `path`.
    """

    def factory() -> type[T]:
        value = _resolve(path)
        if not (isinstance(value, type) and issubclass(value, base)):
            raise TypeError(f"{path} is not a subclass of {base.__name__}")
        return value

    return factory


def lazy_instance(path: str, cls: type[T]) -> Callable[[], T]:
    """
    A factory of the object at `path` ("package.module:object"), an instance of `cls`.

    Nothing is imported before the call. The factory raises TypeError if there is something else at `path`.
    """

    def factory() -> T:
        value = _resolve(path)
        if not isinstance(value, cls):
            raise TypeError(f"{path} is not an instance of {cls.__name__}")
        return value

    return factory
