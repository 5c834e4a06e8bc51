"""Attributes of the `rop` dialect: combiners of reductions, and tilings."""

from collections.abc import Sequence
from typing import Final

from xdsl.dialects.builtin import StringAttr
from xdsl.dialects.utils import EnumAttribute
from xdsl.ir import Attribute, Operation, ParametrizedAttribute, SpacedOpaqueSyntaxAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from rammer_ir.dialects.assembly import parse_integers
from rammer_ir.dialects.integers import Integer, Integers, integer, integers, values_of

ELEMENT_TYPE_ATTRIBUTE: Final = "rop.element_type"
"""
Attribute of an argument or result of a model's function: NumPy's name of its elements' type, where the IR's type does
not say it. Integers are signless in the IR, so `i8` with `rop.element_type = "uint8"` is what the caller has as uint8.
"""


PRECISION_ATTRIBUTE: Final = "rop.precision"
"""Attribute of a module: the least exact arithmetic that its products may be computed with; without it, `fp32`."""


class Combiner(StrEnum):
    """
    How the values a generic yields for one result element over the reduced dimensions become one.

    Integers are signed for `maximum` and `minimum`.
    """

    ADD = "add"
    MULTIPLY = "multiply"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    UNSIGNED_MAXIMUM = "unsigned_maximum"
    UNSIGNED_MINIMUM = "unsigned_minimum"
    NONE = "none"


@irdl_attr_definition
class CombinerAttr(EnumAttribute[Combiner], SpacedOpaqueSyntaxAttribute):
    """
    A combiner; `none` is for a result that no dimension of its generic is reduced into.

    Its start value is the operation's neutral element: 0, 1, the lowest and the highest value of the element type,
    signed or unsigned.

    Example: `#rop<combiner add>`
    """

    name = "rop.combiner"


class Arithmetic(StrEnum):
    """
    How exactly products of float32 factors are computed before they are summed up, in float32.

    `fp32`: rounded once. `tf32`: exact products of factors of which 10 bits of the mantissa are kept. `3xtf32`: the
    three largest of the four products of two tf32 parts that each factor has.
    """

    FP32 = "fp32"
    TF32 = "tf32"
    THREE_TF32 = "3xtf32"

    @property
    def products(self) -> int:
        """Products of parts of the factors that stand for one."""
        return 3 if self is Arithmetic.THREE_TF32 else 1


def arithmetic_of(module: Operation) -> Arithmetic:
    """The least exact arithmetic that the products of a module may be computed with; VerifyException if it is none."""
    precision = module.attributes.get(PRECISION_ATTRIBUTE, StringAttr(Arithmetic.FP32.value))
    if not isinstance(precision, StringAttr) or precision.data not in tuple(Arithmetic):
        raise VerifyException(f"{PRECISION_ATTRIBUTE} is {', '.join(Arithmetic)}, not {precision}")
    return Arithmetic(precision.data)


_BLOCK_RANKS = {"generic": 0, "contraction": 3, "matrix_vector": 2, "recurrence": 0}
"""Kinds of tilings, and the number of sizes that their blocks have."""


@irdl_attr_definition
class TilingAttr(ParametrizedAttribute):
    """
    One way to cut an rOperator into rTasks: a decision recorded on it, in a list of candidates called `tilings`.

    `tile` gives a size for each loop dimension of the operator's last generic; a dimension that is not cut has its
    bound. `threads` are those of the compute role. A contraction also has the block that its threads stage and
    compute: `block` M, N and K, with K sliced among groups of threads, and says how exact its products are if they are
    not `fp32`. A matrix-vector product has the N and K of the chunks in which its matrix arrives, and slices K too. A
    step of a recurrence keeps its weights from step to step.

    Examples: `#rop.tiling<generic tile [1, 4096] threads 256>`,
    `#rop.tiling<contraction tile [64, 8, 8] threads 256 block [64, 64, 32] slices 4>`,
    `#rop.tiling<contraction tile [64, 8, 8] threads 256 block [64, 64, 32] slices 2 arithmetic "tf32">`,
    `#rop.tiling<matrix_vector tile [1, 32] threads 256 block [32, 128] slices 8>`,
    `#rop.tiling<recurrence tile [1, 20] threads 320>`
    """

    name = "rop.tiling"
    kind_: StringAttr
    tile_: Integers
    threads_: Integer
    block_: Integers
    slices_: Integer
    arithmetic_: StringAttr

    def __init__(
        self,
        kind: str,
        tile: Sequence[int],
        threads: int,
        *,
        block: Sequence[int] = (),
        slices: int = 1,
        arithmetic: Arithmetic = Arithmetic.FP32,
    ) -> None:
        super().__init__(
            StringAttr(kind),
            integers(tile),
            integer(threads),
            integers(block),
            integer(slices),
            StringAttr(arithmetic.value),
        )

    @property
    def kind(self) -> str:
        return self.kind_.data

    @property
    def tile(self) -> tuple[int, ...]:
        return values_of(self.tile_)

    @property
    def threads(self) -> int:
        return self.threads_.value.data

    @property
    def block(self) -> tuple[int, ...]:
        """M, N and K of a contraction's block, N and K of a matrix-vector product's chunk; empty otherwise."""
        return values_of(self.block_)

    @property
    def slices(self) -> int:
        return self.slices_.value.data

    @property
    def arithmetic(self) -> Arithmetic:
        return Arithmetic(self.arithmetic_.data)

    def verify(self) -> None:
        if self.arithmetic_.data not in tuple(Arithmetic):
            raise VerifyException(f"arithmetic is {', '.join(Arithmetic)}, not {self.arithmetic_.data}")
        if self.kind != "contraction" and self.arithmetic is not Arithmetic.FP32:
            raise VerifyException("only contractions have products that are not fp32")
        if self.kind not in _BLOCK_RANKS:
            raise VerifyException(f"a tiling is {', '.join(_BLOCK_RANKS)}, not {self.kind}")
        if any(size < 1 for size in (*self.tile, *self.block, self.threads, self.slices)):
            raise VerifyException("the sizes of a tiling must be positive")
        if len(self.block) != _BLOCK_RANKS[self.kind]:
            raise VerifyException(
                "a contraction has a block of M, N and K, a matrix-vector product one of N and K, all else none"
            )
        if self.kind == "generic" and self.slices != 1:
            raise VerifyException("only products slice their K")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            kind = parser.parse_identifier()
            parser.parse_keyword("tile")
            tile = parse_integers(parser)
            parser.parse_keyword("threads")
            threads = parser.parse_integer()
            block: list[int] = []
            slices, arithmetic = 1, Arithmetic.FP32.value
            if parser.parse_optional_keyword("block") is not None:
                block = parse_integers(parser)
                parser.parse_keyword("slices")
                slices = parser.parse_integer()
                if parser.parse_optional_keyword("arithmetic") is not None:
                    arithmetic = parser.parse_str_literal()
        return (
            StringAttr(kind),
            integers(tile),
            integer(threads),
            integers(block),
            integer(slices),
            StringAttr(arithmetic),
        )

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{self.kind} tile {list(self.tile)} threads {self.threads}")
            if self.block:
                printer.print_string(f" block {list(self.block)} slices {self.slices}")
            if self.arithmetic is not Arithmetic.FP32:
                printer.print_string(" arithmetic ")
                printer.print_string_literal(self.arithmetic.value)
