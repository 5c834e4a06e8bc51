"""
Dataclasses as JSON values, and back with every type checked.

A field is an integer, a float, a text, a bool, one of these or None, another dataclass, or a tuple of such, of one kind
or of one for each place. Integers are counts, sizes and indices: none is negative, and each fits 63 bits.
"""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from rammer_ir.errors import InvalidInputError

_LARGEST: Final = 2**63 - 1

T = TypeVar("T")


def to_json(value: object, leave_out: frozenset[str] = frozenset()) -> Any:
    """The value as what `json.dumps` takes; `leave_out` names fields of the outermost dataclass."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_json(getattr(value, item.name)) for item in fields(value) if item.name not in leave_out}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in cast("dict[str, object]", value).items()}
    return value


def from_json(cls: type[T], value: object, where: str, given: Mapping[str, object] | None = None) -> T:
    """
    A dataclass from what `to_json` made of it; `given` are values of fields that do not come from there.

    Raises InvalidInputError, which names the place below `where`, for a field too many, too few, or of another type.
    """
    known = {} if given is None else dict(given)
    expected = [item.name for item in fields(cast("Any", cls)) if item.name not in known]
    record = object_of(value, where)
    if set(record) != set(expected):
        wrong = sorted(set(record).symmetric_difference(expected))
        raise InvalidInputError(f"{where} has other fields than expected: {', '.join(wrong)[:80]}")
    hints = _hints(cls)
    return cls(**known, **{name: _value(hints[name], record[name], f"{where}.{name}") for name in expected})


def object_of(value: object, where: str) -> dict[str, object]:
    """The value if it is a JSON object; raises InvalidInputError otherwise."""
    if not isinstance(value, dict):
        raise InvalidInputError(f"{where} is no object")
    return cast("dict[str, object]", value)


def list_of(value: object, where: str) -> list[object]:
    """The value if it is a JSON array; raises InvalidInputError otherwise."""
    if not isinstance(value, list):
        raise InvalidInputError(f"{where} is no list")
    return cast("list[object]", value)


def integer_of(value: object, where: str, largest: int = _LARGEST) -> int:
    """The value if it is an integer from 0 to `largest`; raises InvalidInputError otherwise."""
    if type(value) is not int or not 0 <= value <= largest:
        raise InvalidInputError(f"{where} is no integer from 0 to {largest}")
    return value


@cache
def _hints(cls: type) -> dict[str, Any]:
    import numpy as np
    from numpy.typing import NDArray

    return get_type_hints(cls, localns={"np": np, "NDArray": NDArray})


def _value(hint: Any, value: object, where: str) -> object:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        (kind,) = [option for option in get_args(hint) if option is not type(None)]
        return None if value is None else _value(kind, value, where)
    if origin is tuple:
        return _tuple(get_args(hint), list_of(value, where), where)
    if origin is dict:
        _, kind = get_args(hint)
        return {name: _value(kind, item, f"{where}.{name}") for name, item in object_of(value, where).items()}
    if is_dataclass(hint):
        return from_json(cast("type[Any]", hint), value, where)
    return _scalar(hint, value, where)


def _scalar(hint: Any, value: object, where: str) -> object:
    if hint is int:
        return integer_of(value, where)
    if hint is float and type(value) in (int, float):
        return float(cast("float", value))
    if hint in (str, bool) and type(value) is hint:
        return value
    raise InvalidInputError(f"{where} is no {hint.__name__}")


def _tuple(kinds: tuple[Any, ...], values: list[object], where: str) -> tuple[object, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(values)
    if len(kinds) != len(values):
        raise InvalidInputError(f"{where} has {len(values)} items, not {len(kinds)}")
    pairs = enumerate(zip(kinds, values, strict=True))
    return tuple(_value(kind, value, f"{where}[{number}]") for number, (kind, value) in pairs)
