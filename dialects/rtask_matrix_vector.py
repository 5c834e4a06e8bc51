"""The attribute of the `rtask` dialect that says how a kernel is a matrix-vector product."""

from collections.abc import Sequence
from typing import Self

from xdsl.ir import Attribute, ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.assembly import parse_integers
from rammer_ir.dialects.integers import Integer, Integers, integer, integers, values_of


@irdl_attr_definition
class MatrixVectorAttr(ParametrizedAttribute):
    """
    How a kernel's first generic multiplies a few vectors by a matrix, y[m, n] = sum over k of X[m, k] * W[k, n].

    `x` and `w` number its inputs; the others are loop dimensions of it: `m` of the vectors, none or several; `n` of the
    results; `k` in the order of the packed W, outermost first. `chunks` is the number of chunks of W that a task takes.

    Example: `#rtask.matrix_vector<x 0 w 1 m [0] n 1 k [2] chunks 32>`
    """

    name = "rtask.matrix_vector"
    x_: Integer
    w_: Integer
    m_: Integers
    n_: Integer
    k_: Integers
    chunks_: Integer

    @classmethod
    def of(cls, *, x: int, w: int, m: Sequence[int], n: int, k: Sequence[int], chunks: int) -> Self:
        return cls(integer(x), integer(w), integers(m), integer(n), integers(k), integer(chunks))

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
    def chunks(self) -> int:
        return self.chunks_.value.data

    def verify(self) -> None:
        if {self.x, self.w} != {0, 1}:
            raise VerifyException(f"x and w are inputs 0 and 1 of a product, not {self.x} and {self.w}")
        loops = (*self.m, self.n, *self.k)
        if not self.k or len(set(loops)) != len(loops) or min(loops) < 0:
            raise VerifyException("a dimension has one role in a matrix-vector product, and at least one is summed")
        if self.chunks < 1:
            raise VerifyException(f"a matrix-vector product takes at least one chunk of W, got {self.chunks}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        def number(keyword: str) -> Integer:
            parser.parse_keyword(keyword)
            return integer(parser.parse_integer())

        def array(keyword: str) -> Integers:
            parser.parse_keyword(keyword)
            return integers(parse_integers(parser))

        with parser.in_angle_brackets():
            return number("x"), number("w"), array("m"), number("n"), array("k"), number("chunks")

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(
                f"x {self.x} w {self.w} m {list(self.m)} n {self.n} k {list(self.k)} chunks {self.chunks}"
            )
