"""Chains of affine links as one: the factor and the addend of all together, as computations on weights."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, cast

from xdsl.builder import ImplicitBuilder
from xdsl.dialects import arith
from xdsl.dialects.builtin import AffineMapAttr, AnyFloat, FloatAttr, TensorType
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects.rop import GenericOp, YieldOp, tensor_type
from rammer_ir.generics.affine_links import AffineLink
from rammer_ir.locations import fuse_locations, set_location

Number: TypeAlias = SSAValue | int
"""A scalar of a body in the making; 0 or 1 where it is known to be that."""


@dataclass(frozen=True)
class AffineChain:
    """Links of which each reads the result of the one before, which nothing else does."""

    links: Sequence[AffineLink]

    @property
    def x(self) -> SSAValue:
        return self.links[0].x

    @property
    def last(self) -> GenericOp:
        return self.links[-1].generic

    @property
    def scales(self) -> bool:
        """Whether the factor of all together is not 1."""
        return any(link.scales for link in self.links)

    @cached_property
    def dims(self) -> tuple[int, ...]:
        """The dimensions of x on which factor and addend depend."""
        reads = (read for link in self.links for _, read, _ in link.weights)
        return tuple(sorted({dim for read in reads for result in read.results for dim in result.used_dims()}))

    def factor(self) -> GenericOp:
        """A generic that computes the factor from weights; its result has the dimensions `dims`."""
        return self._computation(is_factor=True)

    def addend(self) -> GenericOp | None:
        """A generic that computes the addend, as `factor`; None if it is 0."""
        generic = self._computation(is_factor=False)
        return generic if generic.inputs else None

    def _computation(self, *, is_factor: bool) -> GenericOp:
        block = Block()
        with ImplicitBuilder(block):
            factor, addend = 1, 0
            operands: dict[SSAValue, tuple[SSAValue, AffineMap]] = {}
            for link in self.links:
                body = _Body(self.element)
                body.values[link.generic.body.block.args[link.operand]] = (factor, addend)
                for weight, read, argument in link.weights:
                    copy = block.insert_arg(argument.type, len(block.args))
                    operands[copy] = (weight, read)
                    body.values[argument] = (0, copy)
                factor, addend = body.evaluate(link.generic.body.block)
            YieldOp(_materialized(factor if is_factor else addend, self.element))
        _erase_unused(block)
        return self._vector(block, [operands[argument] for argument in block.args])

    def _vector(self, block: Block, operands: Sequence[tuple[SSAValue, AffineMap]]) -> GenericOp:
        """The generic over `dims` with a body and the weights that its arguments stand for."""
        rank, count = len(self.last.bounds), len(self.dims)
        dims: list[AffineExpr] = [AffineExpr.constant(0)] * rank
        for position, dim in enumerate(self.dims):
            dims[dim] = AffineExpr.dimension(position)
        shape = [self.last.bounds[dim] for dim in self.dims]
        maps = [read.replace_dims_and_symbols(dims, [], count, 0) for _, read in operands]
        generic = GenericOp(
            shape,
            [AffineMapAttr(each) for each in (*maps, AffineMap.identity(count))],
            [weight for weight, _ in operands],
            [TensorType(self.element, shape)],
            Region(block),
        )
        set_location(generic, fuse_locations(link.generic for link in self.links))
        return generic

    @property
    def element(self) -> AnyFloat:
        return cast("AnyFloat", tensor_type(self.x).element_type)


class _Body:
    """Evaluates a link's body on numbers of the form `factor * x + addend`; new ops go to the implicit builder."""

    def __init__(self, element: AnyFloat) -> None:
        self.values: dict[SSAValue, tuple[Number, Number]] = {}
        self.element = element

    def evaluate(self, block: Block) -> tuple[Number, Number]:
        """Factor and addend of what the body yields; it must be that of a link."""
        for op in block.ops:
            if isinstance(op, YieldOp):
                return self.values[op.values[0]]
            self.values[op.results[0]] = self._apply(op)
        raise AssertionError("a body ends with rop.yield")

    def _apply(self, op: Operation) -> tuple[Number, Number]:
        operands = [self.values[operand] for operand in op.operands]
        if all(isinstance(factor, int) and factor == 0 for factor, _ in operands):
            known = {
                value: _materialized(addend, self.element)
                for value, (_, addend) in zip(op.operands, operands, strict=True)
            }
            return 0, op.clone(known).results[0]
        match op, operands:
            case arith.NegfOp(), [(factor, addend)]:
                return self._times(factor, -1), self._times(addend, -1)
            case arith.AddfOp(), [left, right]:
                return self._plus(left[0], right[0]), self._plus(left[1], right[1])
            case arith.SubfOp(), [left, right]:
                return self._plus(left[0], self._times(right[0], -1)), self._plus(left[1], self._times(right[1], -1))
            case arith.DivfOp(), [left, (_, divisor)]:
                return self._by(left[0], divisor), self._by(left[1], divisor)
            case arith.MulfOp(), [left, right]:
                (factor, addend), (_, scale) = (left, right) if right[0] == 0 else (right, left)
                return self._times(factor, scale), self._times(addend, scale)
            case _:
                raise AssertionError(f"{op.name} is no part of an affine function")

    def _plus(self, left: Number, right: Number) -> Number:
        if left == 0 or right == 0:
            return right if left == 0 else left
        return arith.AddfOp(_materialized(left, self.element), _materialized(right, self.element)).result

    def _times(self, left: Number, right: Number) -> Number:
        if left == 0 or right == 1:
            return left
        if left == 1 and right != -1:
            return right
        if right == -1:
            return arith.NegfOp(_materialized(left, self.element)).result
        return arith.MulfOp(_materialized(left, self.element), _materialized(right, self.element)).result

    def _by(self, left: Number, divisor: Number) -> Number:
        if left == 0:
            return 0
        return arith.DivfOp(_materialized(left, self.element), _materialized(divisor, self.element)).result


def _materialized(number: Number, element: AnyFloat) -> SSAValue:
    if isinstance(number, SSAValue):
        return number
    return arith.ConstantOp(FloatAttr(float(number), element)).result


def _erase_unused(block: Block) -> None:
    for op in reversed(list(block.ops)):
        if op.results and not any(result.uses for result in op.results):
            op.detach()
            op.erase()
    for argument in reversed(block.args):
        if not argument.uses:
            block.erase_arg(argument)


def affine_chains(links: Sequence[AffineLink]) -> Iterator[AffineChain]:
    """The longest chains of a block's links, which are given in the block's order."""
    by_result: dict[SSAValue, list[AffineLink]] = {}
    for link in links:
        chain = by_result.pop(link.x, []) if link.x.has_one_use() else []
        by_result[link.generic.res[0]] = [*chain, link]
    return (AffineChain(chain) for chain in by_result.values())
