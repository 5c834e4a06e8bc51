"""The equations of Einsum, taken apart."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rammer_ir.errors import InvalidInputError
from rammer_ir.frontend.names import quoted

Label: TypeAlias = str
"""A letter of the equation; `.0`, `.1` ... are dimensions that an ellipsis stands for, counted from the last."""

_ELLIPSIS = "..."


@dataclass(frozen=True)
class Equation:
    """A label for each dimension of each operand, and of the result."""

    operands: Sequence[Sequence[Label]]
    result: Sequence[Label]


def parse_equation(text: str, ranks: Sequence[int]) -> Equation:
    """
    The equation for operands of these ranks; raises InvalidInputError where it does not fit them.

    Without `->`, the result has the ellipsis' dimensions, then the letters that occur once, in alphabetic order.
    """
    left, arrow, right = "".join(text.split()).partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise InvalidInputError(f"equation {quoted(text)} has {len(terms)} operands where {len(ranks)} are given")
    operands = [_labels(term, rank, text) for term, rank in zip(terms, ranks, strict=True)]
    spread = max((sum(label[0] == "." for label in labels) for labels in operands), default=0)
    if arrow:
        length = sum(letter != "." for letter in right)
        result = _labels(right, length + spread if _ELLIPSIS in right else length, text)
    else:
        counts = Counter(label for labels in operands for label in labels)
        result = [*_spread(spread), *sorted(label for label in counts if label[0] != "." and counts[label] == 1)]
    known = {label for labels in operands for label in labels}
    if len(set(result)) != len(result) or not set(result) <= known:
        raise InvalidInputError(f"equation {quoted(text)} has labels in its result that are unknown, or twice")
    return Equation(operands, result)


def _spread(count: int) -> list[Label]:
    return [f".{position}" for position in reversed(range(count))]


def _labels(term: str, rank: int, text: str) -> list[Label]:
    """A label for each of `rank` dimensions."""
    before, ellipsis, behind = term.partition(_ELLIPSIS)
    letters = before + behind
    if not all(letter.isascii() and letter.isalpha() for letter in letters):
        raise InvalidInputError(f"equation {quoted(text)} has a term that is not made of letters: {quoted(term)}")
    missing = rank - len(letters)
    if missing < 0 or (missing > 0 and not ellipsis):
        raise InvalidInputError(f"equation {quoted(text)} has the term {quoted(term)} for {rank} dimensions")
    return [*before, *_spread(missing), *behind]
