"""Attributes of the `rtask` dialect: boxes of elements, costs, roles of a contraction's loops, placements."""

from collections.abc import Sequence
from math import isfinite
from typing import Self

from xdsl.dialects.builtin import AffineMapAttr, DenseIntElementsAttr, Float64Type, FloatAttr, StringAttr, f64
from xdsl.ir import Attribute, ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.assembly import parse_integers
from rammer_ir.dialects.integers import Integer, Integers, integer, integers, values_of

Placement = AffineMapAttr | DenseIntElementsAttr
"""Which vEU runs a task: a map from the linear task index, or a table where no map fits."""


@irdl_attr_definition
class BoxAttr(ParametrizedAttribute):
    """
    The elements of a tensor that a task touches: an origin for each task, and a size.

    The map takes task coordinates (dimensions) and loop indices (symbols) to the origin; `sizes` are static. The part
    of the box that lies out of the tensor is cut off.

    Example (a tile of 8x8 pixels with a border of 1):
    `#rtask.box<(h, w) -> (0, 0, h * 8 - 1, w * 8 - 1) by [1, 3, 10, 10]>`
    """

    name = "rtask.box"
    origin: AffineMapAttr
    sizes_: Integers

    def __init__(self, origin: AffineMapAttr, sizes: Sequence[int]) -> None:
        super().__init__(origin, integers(sizes))

    @property
    def sizes(self) -> tuple[int, ...]:
        return values_of(self.sizes_)

    def verify(self) -> None:
        if len(self.origin.data.results) != len(self.sizes):
            raise VerifyException(
                f"a box needs a size for each of the {len(self.origin.data.results)} results of its origin"
            )
        if any(size <= 0 for size in self.sizes):
            raise VerifyException(f"the sizes of a box must be positive, got {list(self.sizes)}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            origin = parser.parse_affine_map()
            parser.parse_keyword("by")
            return AffineMapAttr(origin), integers(parse_integers(parser))

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{self.origin.data} by {list(self.sizes)}")


@irdl_attr_definition
class CostAttr(ParametrizedAttribute):
    """
    What one task of a dispatch costs: microseconds on one vEU, and where the number comes from.

    Example: `#rtask.cost<4.2 us from "analytic">`
    """

    name = "rtask.cost"
    task_time: FloatAttr[Float64Type]
    source: StringAttr

    @property
    def microseconds(self) -> float:
        return self.task_time.value.data

    def verify(self) -> None:
        if not (isfinite(self.microseconds) and self.microseconds >= 0.0):
            raise VerifyException(f"a cost is a number that is not negative, got {self.microseconds}")

    @classmethod
    def of(cls, microseconds: float, source: str) -> Self:
        return cls(FloatAttr(microseconds, f64), StringAttr(source))

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            value = parser.parse_number()
            parser.parse_keyword("us")
            parser.parse_keyword("from")
            source = parser.parse_str_literal()
        return FloatAttr(float(value), f64), StringAttr(source)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{_decimal(self.microseconds)} us from ")
            printer.print_string_literal(self.source.data)


def _decimal(value: float) -> str:
    """The shortest text that is read as the same number: Python's, but 1.0e-05 where Python writes 1e-05."""
    mantissa, mark, exponent = repr(value).partition("e")
    return f"{mantissa}.0e{exponent}" if mark and "." not in mantissa else repr(value)


@irdl_attr_definition
class ContractionAttr(ParametrizedAttribute):
    """
    How a kernel's first generic is a contraction, C[m, n] = sum over k of X[m, k] * W[k, n], for its body.

    `x` and `w` number its inputs; the others are loop dimensions of it: `m` at most two, the innermost of the result
    last; `k` in the order of the packed W; `checked` dimensions of X, at most two, may be read out of range; with
    `channels`, a chunk of K has one tap (see `rammer_ir.tiling.contraction`). `chunks` is the number of chunks of W
    that a task takes.

    Example: `#rtask.contraction<x 0 w 1 m [1, 2] n 0 k [4, 5, 3] checked [2, 3] channels true chunks 18>`
    """

    name = "rtask.contraction"
    x_: Integer
    w_: Integer
    m_: Integers
    n_: Integer
    k_: Integers
    checked_: Integers
    channels_: Integer
    chunks_: Integer

    @classmethod
    def of(
        cls,
        *,
        x: int,
        w: int,
        m: Sequence[int],
        n: int,
        k: Sequence[int],
        checked: Sequence[int],
        channels: bool,
        chunks: int,
    ) -> Self:
        return cls(
            integer(x),
            integer(w),
            integers(m),
            integer(n),
            integers(k),
            integers(checked),
            integer(int(channels)),
            integer(chunks),
        )

    @property
    def x(self) -> int:
        return self.x_.value.data

    @property
    def w(self) -> int:
        return self.w_.value.data

    @property
    def m(self) -> tuple[int, ...]:
        return values_of(self.m_)

    @property
    def n(self) -> int:
        return self.n_.value.data

    @property
    def k(self) -> tuple[int, ...]:
        return values_of(self.k_)

    @property
    def checked(self) -> tuple[int, ...]:
        return values_of(self.checked_)

    @property
    def channels(self) -> bool:
        return bool(self.channels_.value.data)

    @property
    def chunks(self) -> int:
        return self.chunks_.value.data

    def verify(self) -> None:
        if {self.x, self.w} != {0, 1}:
            raise VerifyException(f"x and w are inputs 0 and 1 of a contraction, not {self.x} and {self.w}")
        if not 1 <= len(self.m) <= 2 or not self.k or len(self.checked) > 2:
            raise VerifyException(
                "a contraction has one or two dimensions m, at least one k and at most two that are checked"
            )
        loops = (*self.m, self.n, *self.k)
        if len(set(loops)) != len(loops) or len(set(self.checked)) != len(self.checked):
            raise VerifyException("a dimension has one role in a contraction")
        if min(*loops, *self.checked) < 0:
            raise VerifyException("the dimensions of a contraction count from 0")
        if self.chunks < 1:
            raise VerifyException(f"a contraction takes at least one chunk of W, got {self.chunks}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        def number(keyword: str) -> Integer:
            parser.parse_keyword(keyword)
            return integer(parser.parse_integer())

        def array(keyword: str) -> Integers:
            parser.parse_keyword(keyword)
            return integers(parse_integers(parser))

        with parser.in_angle_brackets():
            x, w, m, n, k, checked = number("x"), number("w"), array("m"), number("n"), array("k"), array("checked")
            parser.parse_keyword("channels")
            channels = integer(int(parser.parse_boolean()))
            return x, w, m, n, k, checked, channels, number("chunks")

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(
                f"x {self.x} w {self.w} m {list(self.m)} n {self.n} k {list(self.k)} checked {list(self.checked)} "
                f"channels {str(self.channels).lower()} chunks {self.chunks}"
            )
