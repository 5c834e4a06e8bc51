"""Views are read through instead of being copied."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType, UnitAttr
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Attribute, BlockArgument, Operation, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.rop import GenericOp, ScanOp
from rammer_ir.generics.copies import copy_generic
from rammer_ir.generics.parts import GenericParts, Input
from rammer_ir.generics.views import View, read_through, view_of
from rammer_ir.indexing.linear import expression_size, linear_form
from rammer_ir.indexing.ranges import extent_ranges
from rammer_ir.indexing.simplify import simplify_map
from rammer_ir.locations import fuse_locations
from rammer_ir.pass_api import Pass
from rammer_ir.rewriting import rewrite


@dataclass(frozen=True)
class AbsorbViews(Pass):
    """
    A generic that reads a view (a generic that copies: reshape, transpose, slice, expand, pad) reads the view's source.

    Index maps are composed and simplified by the loops' ranges. Views of tensors that a scan captures, or of its
    scanned tensors where each step's slice has a view of its own, move into the scan's body first. A view stays where
    something else than a generic needs it, where a padded read might find an element of the source instead of the pad
    value, and where a map would be written with more than `limit` operations, variables and constants. Views that
    nobody needs any more are erased.
    """

    name = "absorb-views"
    limit: int = 96

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite(op, [_ReadThrough(self.limit), _SinkIntoScan(self.limit), _DropIdentity()])
        rewrite(op, [_EraseUnused()], reverse=True)


def _absorbed(parts: GenericParts, read: Input, view: View, limit: int) -> Input | None:
    new = read_through(parts, read, view)
    return None if new is None or expression_size(new.map) > limit else new


@dataclass(frozen=True)
class _ReadThrough(RewritePattern):
    """Inputs of a generic that are views."""

    limit: int

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: GenericOp, rewriter: PatternRewriter, /) -> None:
        parts = GenericParts.of(op)
        absorbed: list[Operation] = []
        for position, read in enumerate(parts.inputs):
            maker = read.value.owner
            view = view_of(maker)
            new = None if view is None else _absorbed(parts, read, view, self.limit)
            if new is not None and isinstance(maker, Operation):
                parts.inputs[position] = new
                absorbed.append(maker)
        if absorbed:
            location = fuse_locations([op, *absorbed])
            new_op = parts.build(op)
            new_op.location = location
            rewriter.replace(op, new_op)


class _DropIdentity(RewritePattern):
    """
    A view of the whole source as it is, in the place of which the source will do for everybody.

    A function's result stays a tensor of its own: no other result, and nothing that is there without the function.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: GenericOp, rewriter: PatternRewriter, /) -> None:
        view = view_of(op)
        if view is None or view.source.type != op.res[0].type or not isinstance(view.pad, UnitAttr):
            return
        if _is_returned(op.res[0]) and (not isinstance(view.source.owner, GenericOp) or _is_returned(view.source)):
            return
        identity = AffineMap.identity(view.map.num_dims)
        if view.map == simplify_map(identity, extent_ranges(view.shape)):
            rewriter.replace(op, [], [view.source])


def _is_returned(value: SSAValue) -> bool:
    return any(isinstance(use.operation, ReturnOp) for use in value.uses)


class _EraseUnused(RewritePattern):
    """Views without uses."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: GenericOp, rewriter: PatternRewriter, /) -> None:
        if not op.res[0].uses and view_of(op) is not None:
            rewriter.erase(op)


@dataclass(frozen=True)
class _SinkIntoScan(RewritePattern):
    """A scan takes a view's source and makes the view in its body, if every reader there can then absorb it."""

    limit: int

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ScanOp, rewriter: PatternRewriter, /) -> None:
        for operand, argument in _tensor_operands(op):
            view = view_of(op.operands[operand].owner)
            if view is None or view.at or not isinstance(view.pad, UnitAttr):
                continue
            if operand <= len(op.scanned):
                view = _view_of_slices(view)
            if view is not None and _all_absorb(argument, view, self.limit):
                _sink(op, operand, argument, view, rewriter)
                return


def _tensor_operands(op: ScanOp) -> Iterator[tuple[int, BlockArgument]]:
    """The scanned and captured operands, by their number, with the arguments that the body has for them."""
    first_captured = 1 + len(op.scanned) + len(op.carried)
    for operand in (*range(1, 1 + len(op.scanned)), *range(first_captured, len(op.operands))):
        yield operand, op.body.block.args[operand]


def _view_of_slices(view: View) -> View | None:
    """The view that each row of a view's result is of the same row of the source; None where there is none."""
    shape = view.source_shape
    first, *rest = view.map.results
    form = linear_form(first)
    if form is None or form.only_dim != 0 or shape[0] != view.shape[0] or any(0 in r.used_dims() for r in rest):
        return None
    dims = [AffineExpr.constant(0), *(AffineExpr.dimension(dim) for dim in range(view.map.num_dims - 1))]
    inner = AffineMap(view.map.num_dims, 0, tuple(rest))
    inner = inner.replace_dims_and_symbols(dims, [], view.map.num_dims - 1, 0)
    return View(view.source, inner, view.pad, view.shape[1:], shape[1:])


def _all_absorb(argument: BlockArgument, view: View, limit: int) -> bool:
    """Whether the uses of a block argument are reads by generics, all of which could read the view's source."""
    for use in argument.uses:
        reader = use.operation
        if not isinstance(reader, GenericOp) or use.index >= len(reader.inputs):
            return False
        parts = GenericParts.of(reader)
        if _absorbed(parts, parts.inputs[use.index], view, limit) is None:
            return False
    return True


def _sink(op: ScanOp, operand: int, argument: BlockArgument, view: View, rewriter: PatternRewriter) -> None:
    element = cast("TensorType[Attribute]", argument.type).element_type
    source = rewriter.insert_block_argument(op.body.block, argument.index, TensorType(element, view.source_shape))
    source.name_hint = view.source.name_hint
    inner = copy_generic(view.shape, source, view.map, AffineMap.identity(len(view.shape)), argument.type)
    rewriter.insert(inner, InsertPoint.at_start(op.body.block))
    rewriter.replace_all_uses_with(argument, inner.res[0])
    rewriter.erase_block_argument(argument)
    op.operands[operand] = view.source
    rewriter.notify_op_modified(op)
