"""Names that come from a model: untrusted text, made fit for symbols and for messages."""

import re
from typing import Final

LONGEST_SYMBOL: Final = 48
LONGEST_QUOTE: Final = 120


def quoted(name: str) -> str:
    """The name in double quotes on one line, control characters escaped, cut where it is very long."""
    return '"{}"'.format(_bounded(name).replace('"', '\\"'))


def _bounded(text: str) -> str:
    escaped = text.encode("unicode_escape").decode("ascii")
    return escaped if len(escaped) <= LONGEST_QUOTE else f"{escaped[:LONGEST_QUOTE]}..."


def first_line(error: Exception) -> str:
    """What a library's error says, on one line of bounded length."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return _bounded(lines[0]) if lines else type(error).__name__


def identifier(name: str) -> str:
    """The name with all but ASCII letters, digits and underscores replaced: a C identifier of bounded length."""
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:LONGEST_SYMBOL]
    return cleaned if cleaned and not cleaned[0].isdigit() else f"_{cleaned}"


def value_name(name: str) -> str | None:
    """A name hint for SSA values; None if the name has nothing to start one with."""
    candidate = identifier(name)
    return candidate if candidate[0].isalpha() else None


class SymbolNames:
    """Hands out symbol names, each once."""

    def __init__(self, *reserved: str) -> None:
        self._taken = set(reserved)
        self._numbers: dict[str, int] = {}

    def new(self, name: str) -> str:
        """`identifier(name)`, with a number behind it if that is taken."""
        candidate = base = identifier(name)
        while candidate in self._taken:
            self._numbers[base] = self._numbers.get(base, 0) + 1
            candidate = f"{base}_{self._numbers[base]}"
        self._taken.add(candidate)
        return candidate
