"""Dimensions are split where a tensor's writer and readers do not count them alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType, UnitAttr
from xdsl.ir import Block, OpResult
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineMap,
)
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects.rop import GenericOp, tensor_type
from rammer_ir.fusion.kinds import Kind, kind_of
from rammer_ir.generics.blocks import generic_blocks
from rammer_ir.generics.parts import GenericParts
from rammer_ir.generics.splitting import can_split_loop, split_loop, split_result
from rammer_ir.indexing.linear import linear_form
from rammer_ir.indexing.ranges import extent_ranges
from rammer_ir.indexing.simplify import simplify_expression, simplify_map
from rammer_ir.pass_api import Pass


@dataclass(frozen=True)
class SplitDimensions(Pass):
    """
    Splits loops, and dimensions of tensors between generics, until both sides count them by plain loops.

    A grouped convolution writes channel `group * 4 + output` of a tensor whose element-wise readers count channels: the
    tensor gets dimensions for group and output, the readers loops for both. The same helps where a reader takes parts
    of a dimension (`unit`, `unit + 32`, ...: gates), or sees the tensor through a reshape. Then the generics share loop
    dimensions, which `fuse-operators` asks for. Only tensors all of whose readers are element-wise are looked at.
    """

    name = "split-dimensions"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for block in list(generic_blocks(op)):
            # A split makes generics anew: what it makes possible for them is found in the next round.
            while sum(_split_for(value) for value in _results(block)):
                pass


def _results(block: Block) -> list[OpResult]:
    return [result for op in block.ops if isinstance(op, GenericOp) for result in op.res]


@dataclass(frozen=True)
class _Access:
    """A write or read of a tensor by a generic, whose map is simplified."""

    generic: GenericOp
    map: AffineMap

    @classmethod
    def of(cls, generic: GenericOp, affine_map: AffineMap) -> "_Access":
        return cls(generic, simplify_map(affine_map, extent_ranges(generic.bounds)))

    def plain_loop(self, position: int, extent: int) -> int | None:
        """The loop that counts all of a dimension of the tensor, if there is one."""
        match self.map.results[position]:
            case AffineDimExpr(dim) if self.generic.bounds[dim] == extent:
                return dim
            case _:
                return None

    def can_split(self, position: int, extent: int, inner: int) -> bool:
        """Whether quotient and remainder of the index by `inner` are linear, the latter by a plain loop or constant."""
        loop = self.plain_loop(position, extent)
        if loop is not None:
            return can_split_loop(self.generic, loop)
        index = self.map.results[position]
        ranges = extent_ranges(self.generic.bounds)
        quotient = linear_form(simplify_expression(index // inner, ranges))
        remainder = simplify_expression(index % inner, ranges)
        is_plain = isinstance(remainder, AffineDimExpr | AffineConstantExpr)
        return is_plain and quotient is not None and not quotient.symbols


@dataclass(frozen=True)
class _Tensor:
    """A generic's result that only element-wise generics of the same block read, unpadded."""

    value: OpResult
    write: _Access
    reads: Sequence[_Access]

    @classmethod
    def of(cls, value: OpResult) -> "_Tensor | None":
        writer = value.op
        if not isinstance(writer, GenericOp) or writer.parent is None or writer.into or not value.uses:
            return None
        reads: list[_Access] = []
        for use in value.uses:
            reader = use.operation
            if (
                not isinstance(reader, GenericOp)
                or reader.parent is not writer.parent
                or use.index >= len(reader.inputs)
            ):
                return None
            if kind_of(reader) is not Kind.ELEMENTWISE or not isinstance(reader.pads[use.index], UnitAttr):
                return None
            reads.append(_Access.of(reader, reader.input_maps[use.index].data))
        return cls(value, _Access.of(writer, writer.output_maps[value.index].data), reads)

    @property
    def accesses(self) -> Sequence[_Access]:
        return (self.write, *self.reads)

    @property
    def readers(self) -> Sequence[GenericOp]:
        return list(dict.fromkeys(read.generic for read in self.reads))

    @property
    def shape(self) -> tuple[int, ...]:
        return tensor_type(self.value).get_shape()

    def split_loop(self) -> bool:
        """Splits a loop of which the tensor's index has a quotient or a remainder; whether there was one."""
        for access in self.accesses:
            for dim, inner in _divided_loops(access.map):
                if access.generic.bounds[dim] % inner == 0 and can_split_loop(access.generic, dim):
                    parts = GenericParts.of(access.generic)
                    split_loop(access.generic, parts, dim, inner)
                    _replace(access.generic, parts)
                    return True
        return False

    def split_dimension(self) -> bool:
        """Splits a dimension of the tensor, and the loops that count it plainly; whether there was one to split."""
        for position in range(len(self.shape)):
            inner = self._inner_extent(position)
            if inner is not None:
                self._split(position, inner)
                return True
        return False

    def _inner_extent(self, position: int) -> int | None:
        """By what a dimension can be split so that its index is counted by plain loops, or constant, everywhere."""
        extent = self.shape[position]
        candidates: set[int] = set()
        for access in self.accesses:
            form = linear_form(access.map.results[position])
            if form is None or form.symbols or (form.constant and len(self.readers) > 1):
                return None
            if form.dims and (len(form.dims) > 1 or form.constant):
                candidates.update(access.generic.bounds[dim] for dim, factor in form.dims.items() if factor == 1)
        for inner in sorted(candidates):
            if 1 < inner < extent and extent % inner == 0:
                if all(access.can_split(position, extent, inner) for access in self.accesses):
                    return inner
        return None

    def _split(self, position: int, inner: int) -> None:
        writer = self.write.generic
        parts = GenericParts.of(writer)
        extent, tensor = self.shape[position], tensor_type(self.value)
        loop = self.write.plain_loop(position, extent)
        if loop is not None:
            split_loop(writer, parts, loop, inner)
        output = parts.outputs[self.value.index]
        output.map = split_result(output.map, position, inner, parts)
        shape = (*self.shape[:position], extent // inner, inner, *self.shape[position + 1 :])
        output.type = TensorType(tensor.element_type, shape)
        new = _replace_writer(writer, parts)
        for reader in self.readers:
            parts = GenericParts.of(reader)
            loops = {read.plain_loop(position, extent) for read in self.reads if read.generic is reader}
            for loop in sorted((loop for loop in loops if loop is not None), reverse=True):
                split_loop(reader, parts, loop, inner)
            for read in parts.inputs:
                if read.value is self.value:
                    read.map = split_result(read.map, position, inner, parts)
                    read.value = new.res[self.value.index]
            _replace(reader, parts)
        writer.detach()
        writer.erase()


def _divided_loops(affine_map: AffineMap) -> Iterator[tuple[int, int]]:
    """The loops of which a map has a quotient or a remainder, with the divisor: that of the quotient if both."""
    for result in affine_map.results:
        match result:
            case AffineBinaryOpExpr(AffineBinaryOpKind.Mod, AffineDimExpr(dim), AffineConstantExpr(inner)):
                yield dim, inner
            case AffineBinaryOpExpr(AffineBinaryOpKind.FloorDiv, AffineDimExpr(dim), AffineConstantExpr(inner)):
                yield dim, inner
            case AffineBinaryOpExpr(
                AffineBinaryOpKind.Mod,
                AffineBinaryOpExpr(AffineBinaryOpKind.FloorDiv, AffineDimExpr(dim), AffineConstantExpr(inner)),
                AffineConstantExpr(),
            ):
                yield dim, inner
            case _:
                pass


def _split_for(value: OpResult) -> bool:
    tensor = _Tensor.of(value)
    return tensor is not None and (tensor.split_loop() or tensor.split_dimension())


def _replace(generic: GenericOp, parts: GenericParts) -> None:
    Rewriter.replace_op(generic, parts.build(generic))


def _replace_writer(generic: GenericOp, parts: GenericParts) -> GenericOp:
    """Inserts the new generic before the old one and lets it take over the results whose types are the same."""
    new = parts.build(generic)
    Rewriter.insert_op(new, InsertPoint.before(generic))
    for old, result in zip(generic.res, new.res, strict=True):
        result.name_hint = old.name_hint
        if old.type == result.type:
            old.replace_all_uses_with(result)
    return new
