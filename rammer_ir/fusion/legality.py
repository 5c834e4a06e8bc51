"""
The rule for fusion groups.

A group has one root, whose results alone leave it; its loop dimensions that all members share are the *task
dimensions* (`rammer_ir.tiling.task_dimensions`): along them the group is cut into rTasks that compute nothing twice.
The other loops of a member run inside one task. A group is legal if

1. it has at most one contraction (or window), which reads nothing that the group makes;
2. what members read of one another is not padded, and no member but the root writes into a given tensor;
3. every parallel dimension of a contraction or row reduction is a task dimension: fusion costs it no parallelism.
   Except for dimensions of few indices that end in reads of constant ones (the gates of a recurrent cell): a task
   computes all of them;
4. every dimension of an element-wise member is a task dimension too, but for those of constant reads, and but for
   members that stay within a row: their other dimensions together are no longer than a row that the group reduces and
   at most `row_limit`;
5. what members leave to others within a task takes no more memory than `MOST_ROWS` rows of `row_limit` floats;
6. the maps of all members together have at most one symbol value (`at`).
"""

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import cast

from xdsl.dialects.builtin import FixedBitwidthType, TensorType, UnitAttr
from xdsl.ir import Attribute, OpResult
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr

from rammer_ir.dialects.rop import GenericOp
from rammer_ir.fusion.kinds import Kind, kind_of, parallel_dims, row_length
from rammer_ir.tiling.task_dimensions import shared_dimensions

MOST_ROWS = 2
"""Rows of the greatest length, of 32-bit elements, that fit the memory of a task."""

_FLOAT_BYTES = 4

MOST_UNROLLED = 16
"""How many values of dimensions that are read at constants one task may have to compute."""


def is_legal(members: Sequence[GenericOp], row_limit: int, *, expects_rows: bool = False) -> bool:
    """
    Whether generics, in topological order with the root last, may be one group.

    `expects_rows`: row reductions that element-wise members stay within may still join.
    """
    if len(members) == 1:
        return True
    kinds = {member: kind_of(member) for member in members}
    return _fits_structure(members, kinds) and _keeps_parallelism(members, kinds, row_limit, expects_rows=expects_rows)


def _fits_structure(members: Sequence[GenericOp], kinds: Mapping[GenericOp, Kind]) -> bool:
    contractions = [member for member in members if kinds[member] is Kind.CONTRACTION]
    if len(contractions) > 1 or any(member.into for member in members[:-1]):
        return False
    if len({value for member in members for value in member.at}) > 1:
        return False
    for member in members:
        for value, pad in zip(member.inputs, member.pads, strict=True):
            if value.owner in kinds and (member in contractions or not isinstance(pad, UnitAttr)):
                return False
    return True


def _keeps_parallelism(
    members: Sequence[GenericOp], kinds: Mapping[GenericOp, Kind], row_limit: int, *, expects_rows: bool
) -> bool:
    dimensions = shared_dimensions(members)
    longest_row = max((row_length(member) for member in members if kinds[member] is Kind.ROWS), default=1)
    handed_on = 0
    for number, member in enumerate(members):
        local = parallel_dims(member) - {dimension.loops[number] for dimension in dimensions}
        local -= _unrolled_dims(member, members, local)
        if not local:
            continue
        if kinds[member] is not Kind.ELEMENTWISE:
            return False
        size = prod(member.bounds[dim] for dim in local)
        if size > row_limit or (size > longest_row and not expects_rows):
            return False
        if member is not members[-1]:
            handed_on += size * sum(_element_bytes(value) for value in member.res)
    return handed_on <= MOST_ROWS * row_limit * _FLOAT_BYTES


def _element_bytes(value: OpResult) -> int:
    element = cast("TensorType[Attribute]", value.type).element_type
    return element.size if isinstance(element, FixedBitwidthType) else _FLOAT_BYTES


def _unrolled_dims(member: GenericOp, members: Sequence[GenericOp], dims: Iterable[int]) -> set[int]:
    """Those of the dims that the group reads at constants, if they have few indices together."""
    unrolled = {dim for dim in dims if _is_read_at_constants(member, members, dim)}
    return unrolled if prod(member.bounds[dim] for dim in unrolled) <= MOST_UNROLLED else set()


def _is_read_at_constants(member: GenericOp, members: Sequence[GenericOp], dim: int) -> bool:
    """Whether every reader's index for a loop of a member is constant, or a loop of which the same is true."""
    reads = [
        (reader, written, read)
        for reader in members
        for value, read_map in zip(reader.inputs, reader.input_maps, strict=True)
        if isinstance(value, OpResult) and value.op is member
        for written, read in zip(member.output_maps[value.index].data.results, read_map.data.results, strict=True)
        if dim in written.used_dims()
    ]
    return bool(reads) and all(
        isinstance(written, AffineDimExpr)
        and (
            isinstance(read, AffineConstantExpr)
            or (isinstance(read, AffineDimExpr) and _is_read_at_constants(reader, members, read.position))
        )
        for reader, written, read in reads
    )
