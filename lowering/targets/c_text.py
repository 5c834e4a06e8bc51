"""C text, as such."""

import re
from typing import Final

_NUMBER: Final = re.compile(r"\d+")


def bare(text: str) -> str:
    """The expression without the parentheses around all of it."""
    if not text.startswith("("):
        return text
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:-1] if position == len(text) - 1 else text
    return text


def cast(kind: str, text: str) -> str:
    """An expression converted to a C type."""
    if kind == "unsigned" and _NUMBER.fullmatch(text):
        return f"{text}u"
    return f"{kind}({bare(text)})" if kind.isidentifier() else f"static_cast<{kind}>({bare(text)})"
