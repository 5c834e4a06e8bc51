"""What is only copied somewhere is written there by its producer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.dialects.tensor import EmptyOp
from xdsl.ir import Attribute, Block, Operation, OpResult, SSAValue, Use
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.block_order import depends_on, sort_block
from rammer_ir.dialects.rop import GenericOp
from rammer_ir.generics.blocks import generic_blocks
from rammer_ir.generics.parts import GenericParts, Output, shape_of
from rammer_ir.generics.views import View, is_copy, read_through
from rammer_ir.indexing.inverse import invert_map
from rammer_ir.indexing.linear import expression_size
from rammer_ir.indexing.ranges import extent_ranges, map_ranges
from rammer_ir.indexing.simplify import UNBOUNDED, compose_maps
from rammer_ir.locations import fuse_locations
from rammer_ir.pass_api import Pass


@dataclass(frozen=True)
class WriteInPlace(Pass):
    """
    The producer of a tensor that is copied whole, into part of another or in another layout, writes the copy itself.

    Its result's map becomes the composition with the copy's, and the copy is erased: so a concatenation, and a view
    that leaves the function, cost nothing. Where the copy goes `into` a tensor, other generics may read its source:
    they read the destination instead. Copies that write disjoint boxes of one tensor are put in the order of their
    sources, so that none waits for another. A copy stays where its source is not the result of a generic of the same
    block, where it leaves out or repeats elements, where another use cannot read the destination, where the
    destination needs the producer's result, and where a map would be written with more than `limit` operations,
    variables and constants.
    """

    name = "write-in-place"
    limit: int = 96

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for block in list(generic_blocks(op)):
            _sort_chains(block)
            # A move makes other copies anew if they read what is moved: they are found in the next round.
            while sum(_write_in_place(copy, self.limit) for copy in _copies(block)):
                pass
            sort_block(block)


def _copies(block: Block) -> list[GenericOp]:
    return [op for op in block.ops if isinstance(op, GenericOp) and is_copy(op)]


def _sort_chains(block: Block) -> None:
    """Puts copies into disjoint boxes of one tensor in the order of their sources."""
    position = {op: number for number, op in enumerate(block.ops)}
    changed = False
    for copy in _copies(block):
        if copy.into and _next_copy(copy) is not None and not _is_next_copy(copy):
            chain = [copy]
            while (following := _next_copy(chain[-1])) is not None:
                chain.append(following)
            ordered = sorted(chain, key=lambda member: _source_position(member, position))
            if ordered != chain and _are_disjoint(chain):
                _relink(chain, ordered)
                changed = True
    if changed:
        sort_block(block)


def _source_position(copy: GenericOp, position: dict[Operation, int]) -> int:
    owner = copy.inputs[0].owner
    return position[owner] if isinstance(owner, Operation) and owner in position else -1


def _next_copy(copy: GenericOp) -> GenericOp | None:
    """The copy into the result of this one, if that is its only use."""
    match list(copy.res[0].uses):
        case [Use(GenericOp() as user, _)] if is_copy(user) and user.into and user.into[0] is copy.res[0]:
            return user
        case _:
            return None


def _is_next_copy(copy: GenericOp) -> bool:
    before = copy.into[0].owner
    return isinstance(before, GenericOp) and is_copy(before) and bool(before.into) and _next_copy(before) is copy


def _are_disjoint(copies: Sequence[GenericOp]) -> bool:
    boxes = [
        map_ranges(copy.output_maps[0].data, extent_ranges(copy.bounds), (UNBOUNDED,) * len(copy.at)) for copy in copies
    ]
    return all(
        any(a.high < b.low or b.high < a.low for a, b in zip(first, second, strict=True))
        for first, second in combinations(boxes, 2)
    )


def _relink(chain: Sequence[GenericOp], ordered: Sequence[GenericOp]) -> None:
    """Makes copies that go into one another do so in another order."""
    value = chain[0].into[0]
    chain[-1].res[0].replace_uses_with_if(ordered[-1].res[0], lambda use: use.operation not in chain)
    for copy in ordered:
        copy.operands[len(copy.inputs)] = value
        value = copy.res[0]


@dataclass(frozen=True)
class _Move:
    """
    What writes a copy's source, to be written in the copy's place.

    `writers` are generics that write the source one into the result of the other, with the number of that result;
    `view` maps the source's indices to the copy's result's; `readers` are the other generics that read the source.
    """

    copy: GenericOp
    writers: Sequence[OpResult]
    view: View
    readers: Sequence[GenericOp]

    @classmethod
    def of(cls, copy: GenericOp) -> "_Move | None":
        source = copy.inputs[0]
        inverse = invert_map(copy.input_maps[0].data, copy.bounds, shape_of(source))
        writers = _writers(source, copy.parent)
        if inverse is None or writers is None:
            return None
        readers = _readers(writers, copy)
        if readers is None or (readers and not copy.into):
            return None
        if copy.into and depends_on(copy.into[0], writers[0].op):
            return None
        placed = compose_maps(copy.output_maps[0].data, inverse, extent_ranges(shape_of(source)))
        target = shape_of(copy.res[0])
        return cls(copy, writers, View(source, placed, UnitAttr(), shape_of(source), target, tuple(copy.at)), readers)

    def is_possible(self, limit: int) -> bool:
        """Whether every map can be composed and is written with at most `limit` operations, variables and constants."""
        views: dict[SSAValue, View] = dict.fromkeys(self.writers, self.view)
        for writer in self.writers:
            parts = GenericParts.of(_generic_of(writer))
            if expression_size(self._written(parts, writer).map) > limit or not _reread(parts, views, limit):
                return False
        return all(_reread(GenericParts.of(reader), views, limit) for reader in self.readers)

    def _written(self, parts: GenericParts, writer: OpResult) -> Output:
        old = parts.outputs[writer.index]
        composed = compose_maps(self.view.map, old.map, parts.ranges)
        at = [*parts.at[: old.map.num_symbols], *self.view.at]
        return replace(old, type=self.copy.res[0].type, map=parts.with_symbols(composed, at))

    def apply(self, limit: int) -> None:
        """Rewrites writers and readers and erases the copy; the block may have to be sorted then."""
        first = _generic_of(self.writers[0])
        destination = self.copy.into[0] if self.copy.into else None
        if destination is None and first.into:
            destination = _insert_empty(self.copy.res[0].type, first)
        if destination is not None and isinstance(destination.owner, EmptyOp) and not destination.owner.operands:
            destination.owner.detach()
            Rewriter.insert_op(destination.owner, InsertPoint.before(first))
        views: dict[SSAValue, View] = {}
        for writer in self.writers:
            destination = self._rewrite_writer(writer, destination, views, limit)
            views[writer] = replace(self.view, source=destination)
        for reader in self.readers:
            parts = GenericParts.of(reader)
            _reread(parts, views, limit)
            Rewriter.replace_op(reader, parts.build(reader))
        assert destination is not None
        self.copy.res[0].replace_all_uses_with(destination)
        self.copy.detach()
        self.copy.erase()
        for writer in reversed(self.writers):
            _erase(_generic_of(writer))

    def _rewrite_writer(
        self, writer: OpResult, destination: SSAValue | None, views: dict[SSAValue, View], limit: int
    ) -> SSAValue:
        generic = _generic_of(writer)
        parts = GenericParts.of(generic)
        _reread(parts, views, limit)
        parts.outputs[writer.index] = replace(self._written(parts, writer), into=destination)
        if destination is not None:
            for output in parts.outputs:
                output.into = output.into or _insert_empty(output.type, generic)
        new = parts.build(generic)
        new.location = fuse_locations([generic, self.copy])
        Rewriter.insert_op(new, InsertPoint.before(generic))
        for position, (old, result) in enumerate(zip(generic.res, new.res, strict=True)):
            result.name_hint = self.copy.res[0].name_hint if position == writer.index else old.name_hint
            if position != writer.index:
                old.replace_all_uses_with(result)
        return new.res[writer.index]


def _generic_of(result: OpResult) -> GenericOp:
    assert isinstance(result.op, GenericOp)
    return result.op


def _insert_empty(tensor: Attribute, before: GenericOp) -> SSAValue:
    empty = EmptyOp([], tensor)
    empty.location = before.location
    Rewriter.insert_op(empty, InsertPoint.before(before))
    return empty.tensor


def _erase(generic: GenericOp) -> None:
    """Erases a generic and the empty tensors that only it was written into."""
    destinations = [value.owner for value in generic.into]
    generic.detach()
    generic.erase()
    for empty in destinations:
        if isinstance(empty, EmptyOp) and not empty.tensor.uses:
            empty.detach()
            empty.erase()


def _reread(parts: GenericParts, views: Mapping[SSAValue, View], limit: int) -> bool:
    """Replaces the inputs that are keys of `views`; whether that could be done."""
    for position, read in enumerate(parts.inputs):
        if read.value in views:
            new = read_through(parts, read, views[read.value])
            if new is None or expression_size(new.map) > limit:
                return False
            parts.inputs[position] = new
    return True


def _writers(source: SSAValue, block: Block | None) -> list[OpResult] | None:
    """The results, each written into the one before, that make up a tensor; None if other than generics write it."""
    writers: list[OpResult] = []
    value = source
    while True:
        if not isinstance(value, OpResult) or not isinstance(value.op, GenericOp) or value.op.parent is not block:
            return None
        writers.insert(0, value)
        if not value.op.into:
            return writers
        value = value.op.into[value.index]
        if isinstance(value.owner, EmptyOp):
            return writers if value.has_one_use() else None


def _readers(writers: Sequence[OpResult], copy: GenericOp) -> list[GenericOp] | None:
    """The generics of the block that read what is written, but for the writers; None if something else uses it."""
    readers: dict[GenericOp, None] = {}
    following = {writer: after for writer, after in pairwise(writers)}
    members = [writer.op for writer in writers]
    for writer in writers:
        for use in writer.uses:
            user = use.operation
            if not isinstance(user, GenericOp) or user.parent is not copy.parent:
                return None
            if use.index < len(user.inputs):
                if user is not copy and user not in members:
                    readers[user] = None
            elif writer not in following or user is not following[writer].op:
                return None
    return list(readers)


def _write_in_place(copy: GenericOp, limit: int) -> bool:
    if copy.parent is None:
        return False
    move = _Move.of(copy)
    if move is None or not move.is_possible(limit):
        return False
    move.apply(limit)
    return True
