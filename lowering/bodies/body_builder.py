"""A block-form body in the making: its operands, its parameters and the code of both roles."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from math import prod

from xdsl.dialects.builtin import DYNAMIC_INDEX, IndexType, MemRefType, NoneAttr, StringAttr
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineSymExpr,
)

from rammer_ir.dialects.block import BodyOp, MemorySpace, YieldOp
from rammer_ir.fingerprint import fingerprint
from rammer_ir.indexing.ranges import Range, expression_range
from rammer_ir.lowering.bodies.writer import MOST_SMALL, Writer


class BodyBuilder:
    """
    Builds a `block.body` whose constants of shape are parameters, so that kernels of other shapes share it.

    `parameters` are the values that this kernel passes. `write` writes to the compute region, or to the service region
    inside `in_service`.
    """

    def __init__(self, operands: Sequence[tuple[Attribute, MemorySpace]], threads: int) -> None:
        types = [
            MemRefType(element, [DYNAMIC_INDEX], NoneAttr(), StringAttr(space.value)) for element, space in operands
        ]
        arguments = [IndexType(), IndexType(), *types]
        self.threads = threads
        self.parameters: list[int] = []
        self._compute = Block(arg_types=arguments)
        self._service: Block | None = None
        self._operands = len(operands)
        self._active = self._compute
        self.write = Writer(self._compute)

    @property
    def task(self) -> SSAValue:
        """The linear index of the task."""
        return self._active.args[0]

    @property
    def iteration(self) -> SSAValue:
        """The index of the loop around."""
        return self._active.args[1]

    def operand(self, number: int) -> SSAValue:
        return self._active.args[2 + number]

    def parameter(self, value: int) -> SSAValue:
        """A new parameter, with the value this kernel gives it."""
        self.parameters.append(value)
        for block in (self._compute, self._service):
            if block is not None:
                block.insert_arg(IndexType(), len(block.args))
        return self._active.args[-1]

    @contextmanager
    def in_service(self) -> Generator[None]:
        """Write the service region. Its parameters are those made so far, and new ones."""
        self._service = Block(arg_types=[argument.type for argument in self._compute.args])
        compute = self.write
        self._active, self.write = self._service, Writer(self._service)
        yield
        self.write.add(YieldOp())
        self._active, self.write = self._compute, compute

    def index(
        self, expression: AffineExpr, dims: Sequence[SSAValue], symbols: Sequence[SSAValue], ranges: "Ranges"
    ) -> SSAValue:
        """The value of an affine expression; its constants are parameters."""
        match expression:
            case AffineConstantExpr(value):
                return self.write.index(value) if value in (0, 1) else self.parameter(value)
            case AffineDimExpr(position):
                return dims[position]
            case AffineSymExpr(position):
                return symbols[position]
            case AffineBinaryOpExpr(kind, lhs, rhs):
                left = self.index(lhs, dims, symbols, ranges)
                right = self.index(rhs, dims, symbols, ranges)
                is_positive = expression_range(lhs, *ranges).low >= 0
                return self._binary(kind, left, right, is_positive=is_positive)
            case _:
                raise ValueError(f"not an affine expression: {expression}")

    def _binary(self, kind: AffineBinaryOpKind, left: SSAValue, right: SSAValue, *, is_positive: bool) -> SSAValue:
        if kind is AffineBinaryOpKind.Add:
            return self.write.plus(left, right)
        if kind is AffineBinaryOpKind.Mul:
            return self.write.times(left, right)
        if kind is AffineBinaryOpKind.CeilDiv:
            left = self.write.minus(self.write.plus(left, right), self.write.index(1))
            return self.write.floor_divide(left, right)
        if is_positive:
            divide = self.write.divide if kind is AffineBinaryOpKind.FloorDiv else self.write.modulo
            return divide(left, right)
        quotient = self.write.floor_divide(left, right)
        if kind is AffineBinaryOpKind.FloorDiv:
            return quotient
        return self.write.minus(left, self.write.times(quotient, right))

    def coordinates(self, grid: Sequence[int]) -> list[SSAValue]:
        """The coordinates of the task in a grid."""
        extents = [self.write.index(0), *(self.parameter(extent) for extent in grid[1:])]
        decode = self.write.decode_small if prod(grid) < MOST_SMALL else self.write.decode
        return decode(self.task, extents)

    def finish(self, kind: str) -> BodyOp:
        """The body, named by its kind and its fingerprint: equal bodies have equal names."""
        self.write.add(YieldOp())
        service = None if self._service is None else Region(self._service)
        body = BodyOp(kind, self.threads, Region(self._compute), service)
        body.sym_name = StringAttr(f"{kind}_{fingerprint(body)[:12]}")
        return body


class ShapedBodyBuilder(BodyBuilder):
    """Builds a `block.body` for one shape: its constants are constants, which take no registers."""

    def parameter(self, value: int) -> SSAValue:
        return self.write.index(value)


Ranges = tuple[Sequence[Range], Sequence[Range]]
"""Ranges of dims, and of symbols."""
