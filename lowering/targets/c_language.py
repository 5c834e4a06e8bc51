"""What the two dialects of C that bodies are printed in differ in, inside of expressions."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from xdsl.ir import Attribute

from rammer_ir.lowering.targets.c_helpers import HALF, half_text


class Language(ABC):
    """A dialect of C. Functions that a body needs beside it are asked for by `helper` and printed before it."""

    inline: ClassVar[str]
    """Qualifiers of a small function."""

    def __init__(self) -> None:
        self.helpers: dict[str, str] = {}

    def helper(self, name: str) -> str:
        """The name by which to call a helper function; its definition will be printed."""
        if name not in self.helpers:
            self.helpers[name] = half_text() if name == HALF else self.helper_text(name)
        return f"rammer_{name}"

    @abstractmethod
    def helper_text(self, name: str) -> str:
        """The definition of a helper function."""

    @abstractmethod
    def special_float(self, bits: int, kind: Attribute) -> str:
        """An infinity or NaN of type f32 or f64 with these bits."""

    @abstractmethod
    def reciprocal_square_root(self, operand: str, kind: Attribute) -> str:
        """One divided by the square root."""

    def approximate(self, function: str, operands: Sequence[str]) -> str | None:
        """A quotient or a function ("div", "exp", "tanh") of float32 that may be approximated; None if it is not."""
        return None

    def small_quotient(self, lhs: str, rhs: str) -> str:
        """The quotient of indices that are not negative, the dividend below 2**21."""
        return f"int(unsigned({lhs}) / unsigned({rhs}))"
