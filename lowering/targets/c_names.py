"""Names in C text, made of the names that values have in the IR."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from rammer_ir.errors import CompileError

_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_OTHERS: Final = re.compile(r"[^a-z0-9]+")
_LONGEST: Final = 32

_KEYWORDS: Final = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class co_await
    co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete do
    double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable
    namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast
    requires return short signed sizeof static static_assert static_cast struct switch template this thread_local throw
    true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq
    """.split()
)
_TAKEN: Final = frozenset("task rammer std main memcpy errno assert linux unix stdin stdout stderr offsetof".split())
"""What the text around a body's own names says, and macros that are not in capitals."""


def function_name(symbol: str) -> str:
    """A symbol as the name of a function; raises CompileError where C would not take it."""
    if _IDENTIFIER.fullmatch(symbol) is None or "__" in symbol or _is_taken(symbol):
        raise CompileError(f"kernel body {symbol!r} has a name that C does not accept: give it another")
    return symbol


def _is_taken(name: str) -> bool:
    """Whether a name means something in the text around a body's own names."""
    return name in _KEYWORDS or name in _TAKEN or name in LIBRARY_NAMES or name.startswith("rammer_")


class Names:
    """
    Hands out names for the values of one function, each once in its scope.

    They are in lower case, so that they are no macros, and none begins or ends with an underscore.
    """

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def new(self, hint: str | None, otherwise: str = "value") -> str:
        """A name like `hint`, a value's name in the IR, which may be any text."""
        base = _OTHERS.sub("_", (hint or "").lower())[:_LONGEST].strip("_") or otherwise
        if not base[0].isalpha() or base.startswith("rammer_"):
            base = f"{otherwise}_{base}"
        name, number = base, self._counts.get(base, 0)
        while name in self._counts or _is_taken(name):
            number += 1
            name = f"{base}_{number + 1}"
        self._counts[base] = number
        self._counts.setdefault(name, 0)
        return name

    @contextmanager
    def scope(self) -> Generator[None]:
        """Within it, new names are taken only until its end."""
        outside = self._counts.copy()
        yield
        self._counts = outside


LIBRARY_NAMES: Final = frozenset(
    f"{name}{suffix}"
    for name in """
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf exp exp2 expm1 fabs floor fma fmax fmin fmod
    log log10 log1p log2 pow rint round rsqrt sin sinh sqrt tan tanh trunc
    """.split()
    for suffix in ("", "f")
) | frozenset(f"{name}{size}" for name in ("char", "short", "int", "longlong", "float", "double") for size in (2, 4))
"""Functions and types that the text of a body uses."""
