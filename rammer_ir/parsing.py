"""Text to IR, with each op's place in the text as its location."""

from bisect import bisect_right
from itertools import accumulate

from xdsl.context import Context
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, ModuleOp, StringAttr
from xdsl.ir import Operation
from xdsl.parser import Parser
from xdsl.utils.exceptions import VerifyException

from rammer_ir.errors import VerificationError
from rammer_ir.locations import is_known


class LocatingParser(Parser):
    """
    xDSL's parser, with the line and column of every op that has no `loc(...)` as its location.

    `line_offset` is added to line numbers: the lines before this text in its file.
    """

    def __init__(self, ctx: Context, text: str, name: str, line_offset: int = 0):
        super().__init__(ctx, text, name)
        self._file_name = StringAttr(name)
        self._line_offset = line_offset
        self._line_starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]

    def _line_and_column(self, position: int) -> tuple[int, int]:
        line = bisect_right(self._line_starts, position)
        return line + self._line_offset, position - self._line_starts[line - 1] + 1

    def parse_module(self, allow_implicit_module: bool = True) -> ModuleOp:
        module = super().parse_module(allow_implicit_module)
        self._locate(module, 1 + self._line_offset, 1)
        return module

    def parse_operation(self) -> Operation:
        line, column = self._line_and_column(self._current_token.span.start)
        try:
            op = super().parse_operation()
        except VerifyException as error:
            # Attributes and types verify as they are built, and do not know where.
            where = f"{self._file_name.data}:{line}:{column}"
            raise VerificationError(str(error), location=where) from error
        self._locate(op, line, column)
        return op

    def _locate(self, op: Operation, line: int, column: int) -> None:
        if not is_known(op.location):
            op.location = FileLineColLoc(self._file_name, IntAttr(line), IntAttr(column))


def parse_module(ctx: Context, text: str, name: str = "<text>") -> ModuleOp:
    """
    The module in the text; a `builtin.module` around it is optional. `name` stands for the file in locations.

    Raises ParseError, or VerificationError for attributes and types that make no sense. Does not verify ops.
    """
    return LocatingParser(ctx, text, name).parse_module()
