"""Generics that only copy: a tensor as a view of another, and reads of the one as reads of the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import UnitAttr
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.ir.affine import AffineMap

from rammer_ir.dialects.rop import GenericOp, YieldOp
from rammer_ir.generics.parts import GenericParts, Input, shape_of
from rammer_ir.indexing.inverse import invert_map
from rammer_ir.indexing.linear import linear_form
from rammer_ir.indexing.ranges import extent_ranges, map_ranges
from rammer_ir.indexing.simplify import UNBOUNDED, compose_maps


@dataclass(frozen=True)
class View:
    """
    A tensor of which every element is one of `source`: where, says the map from its indices to the source's.

    The map's symbols stand for `at`. Where it leaves the source, the element is `pad` (`unit`: it never does).
    """

    source: SSAValue
    map: AffineMap
    pad: Attribute
    shape: tuple[int, ...]
    source_shape: tuple[int, ...]
    at: tuple[SSAValue, ...] = ()


def is_copy(generic: GenericOp) -> bool:
    """Whether the generic has one input and one result, yields its input unchanged, and reduces nothing."""
    last = generic.body.block.last_op
    return (
        len(generic.inputs) == 1
        and len(generic.res) == 1
        and not generic.reduction_dims()
        and isinstance(last, YieldOp)
        and generic.body.block.first_op is last
        and last.values[0] is generic.body.block.args[0]
    )


def view_of(op: Operation | Block) -> View | None:
    """What the result of an op is a view of; None unless the op is a copy that writes all of a new tensor once."""
    if not isinstance(op, GenericOp) or not is_copy(op) or op.into:
        return None
    shape = shape_of(op.res[0])
    inverse = invert_map(op.output_maps[0].data, op.bounds, shape)
    if inverse is None:
        return None
    read = compose_maps(op.input_maps[0].data, inverse, extent_ranges(shape))
    return View(op.inputs[0], read, op.pads[0], shape, shape_of(op.inputs[0]), tuple(op.at))


def read_through(parts: GenericParts, read: Input, view: View) -> Input | None:
    """
    The read of a view's result by a generic of these parts as a read of the view's source; they get its symbols.

    None where a read that is padded because it is out of the view's range might be in range of the source.
    """
    is_padded = not isinstance(read.pad, UnitAttr)
    if is_padded and not _keeps_padding(parts, read, view):
        return None
    composed = compose_maps(view.map, read.map, parts.ranges)
    at = [*parts.at[: read.map.num_symbols], *view.at]
    return Input(view.source, parts.with_symbols(composed, at), read.pad if is_padded else view.pad)


def _keeps_padding(parts: GenericParts, read: Input, view: View) -> bool:
    """Whether what leaves the view's range leaves the source's range too, and gives the same value there."""
    if view.pad not in (read.pad, UnitAttr()):
        return False
    values = map_ranges(read.map, parts.ranges, (UNBOUNDED,) * read.map.num_symbols)
    return all(
        (0 <= reached.low and reached.high < extent) or _leaves_with(view.map, dim, extent, view.source_shape)
        for dim, (reached, extent) in enumerate(zip(values, view.shape, strict=True))
    )


def _leaves_with(view_map: AffineMap, dim: int, extent: int, source_shape: Sequence[int]) -> bool:
    """Whether an index that is not in 0..extent-1 in a dimension of the view is out of range in one of the source."""
    for result, source_extent in zip(view_map.results, source_shape, strict=True):
        form = linear_form(result)
        if form is not None and form.dims == {dim: 1} and not form.symbols:
            return form.constant <= 0 and extent + form.constant >= source_extent
    return False
