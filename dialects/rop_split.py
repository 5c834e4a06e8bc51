"""The attribute of the `rop` dialect that says how a reduction is split into partial sums and their sum."""

from collections.abc import Sequence

from xdsl.ir import Attribute, ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.integers import Integer, integer
from rammer_ir.dialects.rop_attributes import TilingAttr


@irdl_attr_definition
class SplitAttr(ParametrizedAttribute):
    """
    One way to cut an rOperator into rTasks of two kernels: a decision recorded on it, in a list called `splits`.

    Loop `dim` of its first generic, a reduced one, is cut into `parts` of equal size. The first kernel, with the tiling
    `partial`, writes a sum for each part; the second, with the tiling `total`, adds these up in their order and does
    what follows in the operator (see `rammer_ir.tiling.split_reduction`).

    Example: `#rop.split<dim 2 parts 4 partial #rop.tiling<generic tile [1, 8, 64] threads 256>
    total #rop.tiling<generic tile [8, 64] threads 256>>`
    """

    name = "rop.split"
    dim_: Integer
    parts_: Integer
    partial: TilingAttr
    total: TilingAttr

    def __init__(self, dim: int, parts: int, partial: TilingAttr, total: TilingAttr) -> None:
        super().__init__(integer(dim), integer(parts), partial, total)

    @property
    def dim(self) -> int:
        return self.dim_.value.data

    @property
    def parts(self) -> int:
        return self.parts_.value.data

    def verify(self) -> None:
        if self.dim < 0 or self.parts < 2:
            raise VerifyException(
                f"a loop is split into two parts at least, not dimension {self.dim} into {self.parts}"
            )

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        def tiling(keyword: str) -> TilingAttr:
            parser.parse_keyword(keyword)
            attribute = parser.parse_attribute()
            if not isinstance(attribute, TilingAttr):
                parser.raise_error(f"expected a tiling, got {attribute}")
            return attribute

        with parser.in_angle_brackets():
            parser.parse_keyword("dim")
            dim = parser.parse_integer()
            parser.parse_keyword("parts")
            parts = parser.parse_integer()
            return integer(dim), integer(parts), tiling("partial"), tiling("total")

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"dim {self.dim} parts {self.parts} partial ")
            printer.print_attribute(self.partial)
            printer.print_string(" total ")
            printer.print_attribute(self.total)
