"""What every part of the printer of a body's function works with: lines, names, values as expressions."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Final

from xdsl.dialects import scf
from xdsl.ir import Block, SSAValue
from xdsl.utils.base_printer import BasePrinter

from rammer_ir.dialects.block import MemorySpace, memory_space, memref_type
from rammer_ir.lowering.targets.c_language import Language
from rammer_ir.lowering.targets.c_names import Names
from rammer_ir.lowering.targets.c_text import bare
from rammer_ir.lowering.targets.c_types import c_type


class CWriter(BasePrinter, ABC):
    """The text of one function while it is written, in a dialect of C."""

    def __init__(self, language: Language) -> None:
        self.output: Final = StringIO()
        super().__init__(self.output, indent_num_spaces=2)
        self.language: Final = language
        self._names: Final = Names()
        self._texts: Final[dict[SSAValue, str]] = {}

    @abstractmethod
    def print_block(self, ops: Block) -> None:
        """Print the statements of all ops of a block."""

    @abstractmethod
    def operand(self, kind: str, number: int, space: MemorySpace | None) -> str:
        """The pointer, of element type `kind`, that is operand `number` of the task."""

    @abstractmethod
    def word_type(self) -> str:
        """The type of an element in memory space "words"."""

    @abstractmethod
    def scratch(self, kind: str, offset: int) -> str:
        """The pointer, of element type `kind`, to what lies `offset` bytes into the scratch memory."""

    @abstractmethod
    def loop_pragmas(self, loop: scf.ForOp) -> Sequence[str]:
        """The pragmas to print before a loop."""

    @contextmanager
    def scope(self) -> Generator[None]:
        """What gets a name within it is unknown behind it."""
        with self._names.scope():
            yield

    def line(self, text: str) -> None:
        """Print a line of its own."""
        self.print_string(f"\n{text}")

    def define(self, value: SSAValue, otherwise: str = "value") -> str:
        """A new name for a value, by which it is known from now on."""
        name = self._names.new(value.name_hint, otherwise)
        self._texts[value] = name
        return name

    def new_name(self, hint: str | None, otherwise: str) -> str:
        """A name for something that is no value."""
        return self._names.new(hint, otherwise)

    def keep(self, value: SSAValue, text: str) -> None:
        """Have an expression, or a name that is there already, stand wherever a value is used."""
        self._texts[value] = text

    def value(self, value: SSAValue) -> str:
        """A value as an expression."""
        return self._texts[value]

    def print_definition(self, value: SSAValue, text: str) -> None:
        """Print the statement that gives a value its name."""
        kind = c_type(value.type)
        self.line(f"const {kind} {self.define(value)} = {bare(text)};")

    def element_type(self, array: SSAValue) -> str:
        """The C type of an array's elements in memory."""
        if memory_space(array) is MemorySpace.WORDS:
            return self.word_type()
        return c_type(memref_type(array).element_type)
