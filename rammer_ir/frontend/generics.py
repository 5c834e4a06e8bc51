"""Building `rop.generic`s: what is read and written at which index, and the arithmetic between."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias, cast

from xdsl.builder import Builder, ImplicitBuilder
from xdsl.dialects.builtin import AffineMapAttr, TensorType, UnitAttr, f32
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects.rop import Combiner, GenericOp, YieldOp
from rammer_ir.frontend.element_types import is_half, is_unsigned
from rammer_ir.frontend.scalars import convert, number

Scalars: TypeAlias = SSAValue | Sequence[SSAValue]


class _VariadicBody(Protocol):
    def __call__(self, *elements: SSAValue) -> Scalars: ...


ScalarBody: TypeAlias = (
    Callable[[SSAValue], Scalars]
    | Callable[[SSAValue, SSAValue], Scalars]
    | Callable[[SSAValue, SSAValue, SSAValue], Scalars]
    | _VariadicBody
)
"""What a generic does with one element of each input: gives one for each result, in the implicit builder's block."""


@dataclass(frozen=True)
class Read:
    """An input of a generic: the element at `indices`; `pad` where they are out of range (None: they never are)."""

    tensor: SSAValue
    indices: Sequence[AffineExpr]
    pad: float | None = None

    @property
    def element_type(self) -> Attribute:
        return cast("TensorType[Attribute]", self.tensor.type).element_type


@dataclass(frozen=True)
class Write:
    """
    A result of a generic: the element at `indices`, over the loop dimensions that they leave out by `combiner`.

    `into` has the initial contents.
    """

    type: TensorType[Attribute]
    indices: Sequence[AffineExpr]
    combiner: Combiner = Combiner.NONE
    into: SSAValue | None = None


def evaluate_body(body: ScalarBody, elements: Sequence[SSAValue]) -> Scalars:
    """Calls the body, which must take as many elements as are given."""
    return cast("Callable[..., Scalars]", body)(*elements)


def build_body(elements: Sequence[Attribute], body: ScalarBody) -> Region:
    """A region that takes elements and yields what `body` makes of them."""
    block = Block(arg_types=elements)
    with ImplicitBuilder(block) as arguments:
        results = evaluate_body(body, arguments)
        YieldOp(*((results,) if isinstance(results, SSAValue) else results))
    return Region(block)


_UNSIGNED: Final = {Combiner.MAXIMUM: Combiner.UNSIGNED_MAXIMUM, Combiner.MINIMUM: Combiner.UNSIGNED_MINIMUM}


def _combiner(write: Write) -> Combiner:
    """The combiner for the result's element type."""
    unsigned = is_unsigned(write.type.element_type)
    return _UNSIGNED.get(write.combiner, write.combiner) if unsigned else write.combiner


def _sums_halves(write: Write) -> bool:
    return write.combiner in (Combiner.ADD, Combiner.MULTIPLY) and is_half(write.type.element_type)


def _rounded_sums(
    builder: Builder, bounds: Sequence[int], reads: Sequence[Read], writes: Sequence[Write], body: ScalarBody
) -> list[SSAValue]:
    """A generic whose body gets and gives float32 for numbers of 16 bits, and generics that round its results."""

    def in_float32(*elements: SSAValue) -> Scalars:
        return evaluate_body(body, [convert(item, f32) if is_half(item.type) else item for item in elements])

    wide = [
        replace(write, type=TensorType(f32, write.type.get_shape())) if is_half(write.type.element_type) else write
        for write in writes
    ]
    sums = generic(builder, bounds, reads, wide, in_float32)
    return [_rounded(builder, value, write.type) for value, write in zip(sums, writes, strict=True)]


def _rounded(builder: Builder, value: SSAValue, to: TensorType[Attribute]) -> SSAValue:
    """The tensor with its elements converted; the value itself where it is of the type."""
    if value.type == to:
        return value
    dims = [AffineExpr.dimension(dim) for dim in range(to.get_num_dims())]

    def body(element: SSAValue) -> SSAValue:
        return convert(element, to.element_type)

    return generic(builder, to.get_shape(), [Read(value, dims)], [Write(to, dims)], body)[0]


def generic(
    builder: Builder,
    bounds: Sequence[int],
    reads: Sequence[Read],
    writes: Sequence[Write],
    body: ScalarBody,
) -> Sequence[SSAValue]:
    """
    Inserts a generic over loops of the given bounds and gives its results; `body` takes one scalar a read.

    Sums and products of numbers of 16 bits are those of 32, rounded once.
    """
    if any(_sums_halves(write) for write in writes):
        return _rounded_sums(builder, bounds, reads, writes, body)
    pads = [UnitAttr() if read.pad is None else number(read.pad, read.element_type) for read in reads]
    initial = [write.into for write in writes if write.into is not None]
    op = GenericOp(
        bounds,
        [AffineMapAttr(AffineMap(len(bounds), 0, tuple(item.indices))) for item in (*reads, *writes)],
        [read.tensor for read in reads],
        [write.type for write in writes],
        build_body([read.element_type for read in reads], body),
        reduce=[_combiner(write) for write in writes],
        pad=None if all(read.pad is None for read in reads) else pads,
        into=initial,
    )
    return builder.insert(op).results
