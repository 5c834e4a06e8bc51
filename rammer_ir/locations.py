"""
Provenance: the builtin location of every op, from the ONNX node or the line of text to the last level.

xDSL's rewriter does not set locations. Passes built on `rammer_ir.pass_api` get it done for their rewrite patterns;
what builds ops by other means uses `builder_at`, `rewriter_at` or `set_location`.
"""

from collections.abc import Iterable

from xdsl.builder import Builder, BuilderListener
from xdsl.dialects.builtin import (
    UNKNOWN_LOC,
    ArrayAttr,
    CallSiteLoc,
    FileLineColLoc,
    FusedLoc,
    LocationAttr,
    NameLoc,
    NoneAttr,
    UnknownLoc,
)
from xdsl.ir import Attribute, Operation
from xdsl.pattern_rewriter import PatternRewriter
from xdsl.rewriter import InsertPoint
from xdsl.utils.hints import isa


def is_known(location: LocationAttr) -> bool:
    """Whether the location says anything."""
    return not isinstance(location, UnknownLoc)


def location_of(op: Operation) -> LocationAttr:
    """The op's location, or that of the nearest op around it which has one."""
    current: Operation | None = op
    while current is not None:
        if is_known(current.location):
            return current.location
        current = current.parent_op()
    return UNKNOWN_LOC


def _parts(location: LocationAttr) -> tuple[LocationAttr, ...]:
    if isinstance(location, FusedLoc) and isa(location.locations, ArrayAttr[Attribute]):
        return tuple(part for part in location.locations if isinstance(part, LocationAttr))
    return (location,)


def fuse_locations(ops: Iterable[Operation]) -> LocationAttr:
    """The location of an op that takes the place of several: each known location once, in the ops' order."""
    parts: dict[LocationAttr, None] = {}
    for op in ops:
        location = location_of(op)
        parts.update((part, None) for part in _parts(location) if is_known(part))
    match tuple(parts):
        case ():
            return UNKNOWN_LOC
        case (only,):
            return only
        case several:
            return FusedLoc(ArrayAttr[Attribute](several), NoneAttr())


def set_location(op: Operation, location: LocationAttr) -> list[Operation]:
    """Give the location to the op, to those nested in it and to their block arguments, where unknown; the ops set."""
    changed: list[Operation] = []
    if not is_known(location):
        return changed
    for nested in op.walk():
        if not is_known(nested.location):
            nested.location = location
            changed.append(nested)
        for region in nested.regions:
            for block in region.blocks:
                for argument in block.args:
                    if not is_known(argument.location):
                        argument.location = location
    return changed


def locating_listener(location: LocationAttr) -> BuilderListener:
    """A listener that gives the location to every op that is inserted without one."""

    def locate(op: Operation) -> None:
        set_location(op, location)

    return BuilderListener(operation_insertion_handler=[locate])


def builder_at(insertion_point: InsertPoint, location: LocationAttr) -> Builder:
    """A builder whose ops get the location, also as the target of an `ImplicitBuilder`."""
    builder = Builder(insertion_point)
    builder.extend_from_listener(locating_listener(location))
    return builder


def rewriter_at(op: Operation) -> PatternRewriter:
    """A rewriter that inserts before the op and whose new ops get the op's location."""
    rewriter = PatternRewriter(op)
    rewriter.extend_from_listener(locating_listener(location_of(op)))
    return rewriter


def describe_location(location: Attribute) -> str | None:
    """The location as text for messages: `model.mlir:3:5`, `"conv1"`; None if unknown."""
    match location:
        case FileLineColLoc():
            return f"{location.filename.data}:{location.line.data}:{location.column.data}"
        case NameLoc():
            inner = describe_location(location.location)
            return f'"{location.desc.data}"' if inner is None else f'"{location.desc.data}" at {inner}'
        case CallSiteLoc():
            return describe_location(location.callee) or describe_location(location.caller)
        case FusedLoc():
            texts = [text for part in _parts(location) if (text := describe_location(part)) is not None]
            return ", ".join(texts) or None
        case _:
            return None


def describe_op(op: Operation) -> str | None:
    """Where the op comes from, as text for messages; None if unknown."""
    return describe_location(location_of(op))
