"""Pieces of custom syntax that several ops share; each `parse_` function reads what the `print_` function writes."""

from collections.abc import Iterable, Sequence

from xdsl.dialects.builtin import IndexType
from xdsl.ir import Attribute, SSAValue
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer


def print_integers(printer: Printer, values: Iterable[int]) -> None:
    """Prints `[1, 2]`."""
    with printer.in_square_brackets():
        printer.print_list(values, lambda value: printer.print_string(str(value)))


def parse_integers(parser: AttrParser) -> list[int]:
    return parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer)


def parse_range(parser: AttrParser) -> tuple[int, int]:
    """Parses two integers, `[first, last]`."""
    position = parser.pos
    values = parse_integers(parser)
    if len(values) != 2:
        parser.raise_error("a range has two ends, [first, last]", position, parser.pos)
    return values[0], values[1]


def print_attributes(printer: Printer, attributes: Iterable[Attribute]) -> None:
    """Prints attributes in square brackets."""
    with printer.in_square_brackets():
        printer.print_list(attributes, printer.print_attribute)


def parse_attributes(parser: AttrParser) -> list[Attribute]:
    return parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_attribute)


def print_optional_attribute(printer: Printer, keyword: str, attribute: Attribute | None) -> None:
    """Prints ` keyword attribute`, or nothing for None."""
    if attribute is not None:
        printer.print_string(f" {keyword} ")
        printer.print_attribute(attribute)


def parse_optional_attribute(parser: AttrParser, keyword: str) -> Attribute | None:
    return None if parser.parse_optional_keyword(keyword) is None else parser.parse_attribute()


def parse_optional_integer(parser: AttrParser, keyword: str) -> int | None:
    """Parses `keyword 3`; None where the keyword is absent."""
    return None if parser.parse_optional_keyword(keyword) is None else parser.parse_integer()


def parse_attribute_dictionary(parser: Parser) -> dict[str, Attribute]:
    """Parses `attributes {...}`, as `Printer.print_op_attributes` prints it; absent, it is empty."""
    attributes = parser.parse_optional_attr_dict_with_keyword()
    return {} if attributes is None else dict(attributes.data)


def print_operand_group(printer: Printer, keyword: str, operands: Sequence[SSAValue]) -> None:
    """Prints ` keyword(%a, %b : type, type)`, or nothing where there are no operands."""
    if not operands:
        return
    printer.print_string(f" {keyword}")
    with printer.in_parens():
        printer.print_list(operands, printer.print_ssa_value)
        printer.print_string(" : ")
        printer.print_list([operand.type for operand in operands], printer.print_attribute)


def parse_operand_group(parser: Parser, keyword: str) -> Sequence[SSAValue]:
    if parser.parse_optional_keyword(keyword) is None:
        return []
    parser.parse_punctuation("(")
    operands = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_unresolved_operand)
    parser.parse_punctuation(":")
    types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
    parser.parse_punctuation(")")
    return parser.resolve_operands(operands, types, parser.pos)


def print_index_group(printer: Printer, keyword: str, indices: Sequence[SSAValue]) -> None:
    """Prints ` keyword(%i, %j)`, all of type index, or nothing where there are none."""
    if indices:
        printer.print_string(f" {keyword}")
        with printer.in_parens():
            printer.print_list(indices, printer.print_ssa_value)


def parse_index_group(parser: Parser, keyword: str) -> list[SSAValue]:
    if parser.parse_optional_keyword(keyword) is None:
        return []
    operands = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_unresolved_operand)
    return [parser.resolve_operand(operand, IndexType()) for operand in operands]


def print_result_types(printer: Printer, types: Sequence[Attribute]) -> None:
    """Prints ` -> type, type`, or nothing where there are no results."""
    if types:
        printer.print_string(" -> ")
        printer.print_list(types, printer.print_attribute)


def parse_result_types(parser: Parser) -> list[Attribute]:
    if parser.parse_optional_punctuation("->") is None:
        return []
    return parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
