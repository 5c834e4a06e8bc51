"""Where a generic's operands lie, as functions of the loop classes of its kernel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

from xdsl.dialects.builtin import FixedBitwidthType, FloatAttr, IntegerAttr, TensorType
from xdsl.ir import Attribute
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
)

from rammer_ir.indexing.linear import linear_form
from rammer_ir.indexing.simplify import linearize
from rammer_ir.indexing.sums import additive_terms, sum_of
from rammer_ir.lowering.bodies.body_builder import Ranges

WIDEST_BYTES = 16
"""Bytes of the widest load and store."""


@dataclass(frozen=True, eq=False)
class Split:
    """
    An expression of loop classes: coefficients of those it is linear in, and terms that are not (or have none).

    `curved` are the classes in which it is not linear.
    """

    linear: Mapping[int, int]
    rest: tuple[AffineExpr, ...]
    curved: frozenset[int]

    @property
    def classes(self) -> set[int]:
        """The classes it depends on."""
        return {*self.linear, *self.curved}

    def distance(self, point: Sequence[int]) -> int:
        """How much larger it is at a point than at the origin, as far as it is linear."""
        return sum(by * point[dim] for dim, by in self.linear.items())

    @property
    def expression(self) -> AffineExpr:
        return sum_of([*(AffineExpr.dimension(dim) * by for dim, by in self.linear.items()), *self.rest])

    def is_linear_in(self, number: int) -> bool:
        return all(number not in term.used_dims() for term in self.rest)


@lru_cache(maxsize=4096)
def split_expression(expression: AffineExpr) -> Split:
    """Separate what an expression is linear in; one object for equal expressions."""
    linear: dict[int, int] = {}
    rest: list[AffineExpr] = []
    for term in additive_terms(expression):
        form = linear_form(term) if term.used_dims() else None
        if form is None:
            rest.append(term)
            continue
        for dim, coefficient in form.dims.items():
            linear[dim] = linear.get(dim, 0) + coefficient
    nonlinear = {dim for term in rest for dim in term.used_dims()}
    rest += [AffineExpr.dimension(dim) * by for dim, by in linear.items() if dim in nonlinear]
    straight = {dim: by for dim, by in linear.items() if by and dim not in nonlinear}
    return Split(straight, tuple(rest), frozenset(nonlinear))


@dataclass(frozen=True, eq=False)
class Condition:
    """That an expression of loop classes is at least 0 and below an extent; one object for equal ones."""

    expression: AffineExpr
    extent: int
    split: Split = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "split", split_expression(self.expression))

    def holds_for_groups(self, number: int, size: int) -> bool:
        """Whether it is the same for each aligned group of `size` indices of a class."""
        if number not in self.split.classes:
            return True
        others = sum_of(list(self.split.rest)), {dim: by for dim, by in self.split.linear.items() if dim != number}
        return (
            self.split.linear.get(number) == 1
            and self.extent % size == 0
            and is_multiple(others[0], size)
            and all(by % size == 0 for by in others[1].values())
        )


@dataclass(frozen=True, eq=False)
class Access:
    """
    How an operand is read or written: its row-major address and, where it may be out of range, the conditions.

    `operand` is its number among the body's. Where the conditions do not hold, a read gives `pad`. Equal accesses
    are one object.
    """

    operand: int
    element: Attribute
    address: AffineExpr
    conditions: tuple[Condition, ...] = ()
    pad: FloatAttr | IntegerAttr | None = None
    split: Split = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "split", split_expression(self.address))

    @property
    def classes(self) -> set[int]:
        """The classes on which the address or a condition depends."""
        return self.split.classes.union(*(condition.split.classes for condition in self.conditions))

    def is_vector(self, number: int, width: int) -> bool:
        """
        Whether aligned groups of `width` indices of a class are aligned neighbours in memory.

        All or none of a group must be in range.
        """
        if not isinstance(self.element, FixedBitwidthType) or self.element.size not in (4, 8):
            return False
        if self.element.size * width > WIDEST_BYTES:
            return False
        others = [by for dim, by in self.split.linear.items() if dim != number]
        return (
            self.split.linear.get(number) == 1
            and all(by % width == 0 for by in others)
            and all(is_multiple(term, width) for term in self.split.rest)
            and all(condition.holds_for_groups(number, width) for condition in self.conditions)
        )


def is_multiple(expression: AffineExpr, factor: int) -> bool:
    """Whether an expression is certain to be a multiple of a factor, whatever its dimensions and symbols are."""
    match expression:
        case AffineConstantExpr(value):
            return value % factor == 0
        case AffineBinaryOpExpr(AffineBinaryOpKind.Add, lhs, rhs):
            return is_multiple(lhs, factor) and is_multiple(rhs, factor)
        case AffineBinaryOpExpr(AffineBinaryOpKind.Mul, lhs, rhs):
            return is_multiple(lhs, factor) or is_multiple(rhs, factor)
        case AffineBinaryOpExpr(AffineBinaryOpKind.Mod, lhs, rhs):
            return is_multiple(lhs, factor) and is_multiple(rhs, factor)
        case _:
            return False


def in_classes(expression: AffineExpr, classes: Sequence[int]) -> AffineExpr:
    """An expression of a generic's loops as one of their classes."""
    return expression.replace_dims_and_symbols([AffineDimExpr(number) for number in classes], [])


def address_of(affine_map: AffineMap, tensor: Attribute, ranges: Ranges) -> AffineExpr:
    """The row-major address, as an expression of the loops, that a map gives in a tensor."""
    shape = cast("TensorType[Attribute]", tensor).get_shape()
    return linearize(affine_map, shape, *ranges).results[0]
