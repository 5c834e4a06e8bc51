"""Images keep the channels of a pixel side by side."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.tensor import EmptyOp
from xdsl.ir import Attribute, Block, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.rewriter import Rewriter

from rammer_ir.dialects.rop import GenericOp, GetWeightOp, IndexOp, tensor_type, used_dims
from rammer_ir.fusion.kinds import Kind, kind_of
from rammer_ir.generics.blocks import generic_blocks
from rammer_ir.generics.parts import GenericParts
from rammer_ir.pass_api import Pass

CHANNEL = 1
"""The dimension of channels in ONNX's order: image, channel, then the pixel's place."""

Part = TypeVar("Part")


@dataclass(frozen=True)
class ChannelsLast(Pass):
    """
    Permutes the tensors between generics that hold images, [image, channel, y, x], to [image, y, x, channel].

    Then what a contraction reads of a pixel are neighbours in memory, and so are the channels of any stencil. The
    generics' maps are permuted with the tensors, and the loops of a generic that writes an image get the order of its
    result. Images are what a contraction writes by its filters in dimension 1 and its positions behind it, and, from
    there on, tensors of the same rank whose channels are the channels of an image. Tensors that enter or leave the
    block, or that any other op uses, keep their order.
    """

    name = "channels-last"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for block in list(generic_blocks(op)):
            images = _Images(block)
            if images.members:
                _permute(block, images.members)


class _Images:
    """The tensors of a block that are images and may be permuted: all or none of those that share memory."""

    def __init__(self, block: Block) -> None:
        self.generics = [op for op in block.ops if isinstance(op, GenericOp)]
        self.roots: dict[SSAValue, SSAValue] = {}
        for op in block.ops:
            if isinstance(op, GenericOp | EmptyOp):
                for number, result in enumerate(op.results):
                    into = op.into[number] if isinstance(op, GenericOp) and op.into else None
                    self.roots[result] = result if into is None else self.roots.get(into, into)
        fixed = {root for value, root in self.roots.items() if not self._can_move(value, block)}
        known = {self.roots[value] for generic in self.generics for value in _filtered(generic)} - fixed
        while found := {self.roots[value] for value in self._neighbours(known)} - known - fixed:
            known |= found
        self.members = {value for value, root in self.roots.items() if root in known}

    def _can_move(self, value: SSAValue, block: Block) -> bool:
        is_local = self.roots[value] in self.roots
        return is_local and all(
            isinstance(use.operation, GenericOp) and use.operation.parent is block for use in value.uses
        )

    def _neighbours(self, known: set[SSAValue]) -> Iterator[SSAValue]:
        """Tensors that a generic reads or writes besides an image, channel by channel."""
        for generic in self.generics:
            accesses = list(_accesses(generic))
            images = [(value, read) for value, read in accesses if self.roots.get(value) in known]
            for value, access in accesses:
                if value in self.roots and any(_same_channels(access, other) for _, other in images):
                    yield value


def _accesses(generic: GenericOp) -> Iterable[tuple[SSAValue, AffineMap]]:
    values = (*generic.inputs, *generic.res)
    return ((value, map_attr.data) for value, map_attr in zip(values, generic.maps.data, strict=True))


def _filtered(generic: GenericOp) -> Iterator[SSAValue]:
    """The results of a contraction whose dimension 1 counts a weight's filters, and later dimensions positions."""
    is_weight = [isinstance(value.owner, GetWeightOp) for value in generic.inputs]
    if kind_of(generic) is not Kind.CONTRACTION or sorted(is_weight) != [False, True]:
        return
    w = used_dims(generic.input_maps[is_weight.index(True)])
    x = used_dims(generic.input_maps[is_weight.index(False)])
    for value, map_attr in zip(generic.res, generic.output_maps, strict=True):
        written = [result.used_dims() for result in map_attr.data.results]
        if len(written) <= CHANNEL + 1:
            continue
        places = set[int]().union(*written[CHANNEL + 1 :])
        if written[CHANNEL] & w - x and places <= x - w:
            yield value


def _same_channels(first: AffineMap, second: AffineMap) -> bool:
    if len(first.results) != len(second.results) or len(first.results) <= CHANNEL + 1:
        return False
    return bool(first.results[CHANNEL].used_dims() & second.results[CHANNEL].used_dims())


def _permute(block: Block, members: set[SSAValue]) -> None:
    moved = set(members)
    for op in list(block.ops):
        if isinstance(op, EmptyOp) and op.tensor in members:
            new = EmptyOp(op.dynamic_sizes, _permuted_type(op.tensor))
            new.location = op.location
            Rewriter.replace_op(op, new)
            moved.add(new.tensor)
        elif isinstance(op, GenericOp) and not moved.isdisjoint((*op.inputs, *op.res)):
            is_member = [result in members for result in op.res]
            new = _permuted_generic(op, moved, is_member)
            Rewriter.replace_op(op, new)
            moved.update(result for result, member in zip(new.res, is_member, strict=True) if member)


def _permuted_generic(generic: GenericOp, moved: set[SSAValue], is_member: Sequence[bool]) -> GenericOp:
    parts = GenericParts.of(generic)
    for read in parts.inputs:
        if read.value in moved:
            read.map = _permuted_map(read.map)
    for number, output in enumerate(parts.outputs):
        if is_member[number]:
            output.map = _permuted_map(output.map)
            output.type = _permuted_type(generic.res[number])
    if is_member[0]:
        _reorder_loops(generic, parts)
    return parts.build(generic)


def _permuted_map(affine_map: AffineMap) -> AffineMap:
    return AffineMap(affine_map.num_dims, affine_map.num_symbols, _channels_last(affine_map.results))


def _permuted_type(value: SSAValue) -> TensorType[Attribute]:
    tensor = tensor_type(value)
    return TensorType(tensor.element_type, _channels_last(tensor.get_shape()))


def _channels_last(parts: Sequence[Part]) -> tuple[Part, ...]:
    return (*parts[:CHANNEL], *parts[CHANNEL + 1 :], parts[CHANNEL])


def _reorder_loops(generic: GenericOp, parts: GenericParts) -> None:
    """Loops in the order of the first result's dimensions, then all others. Changes the body's `rop.index` ops."""
    written = [dim for result in parts.outputs[0].map.results for dim in sorted(result.used_dims())]
    order = list(dict.fromkeys((*written, *range(len(parts.bounds)))))
    place = {dim: number for number, dim in enumerate(order)}
    parts.bounds = tuple(parts.bounds[dim] for dim in order)
    dims = [AffineExpr.dimension(place[dim]) for dim in range(len(order))]
    for part in (*parts.inputs, *parts.outputs):
        symbols = [AffineExpr.symbol(symbol) for symbol in range(part.map.num_symbols)]
        part.map = part.map.replace_dims_and_symbols(dims, symbols, len(order), part.map.num_symbols)
    for op in generic.body.walk():
        if isinstance(op, IndexOp):
            op.dim = IndexOp(place[op.dim.value.data]).dim
