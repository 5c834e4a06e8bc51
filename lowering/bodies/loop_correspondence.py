"""Loops of different generics of one kernel that count the same thing."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from xdsl.ir import OpResult
from xdsl.ir.affine import AffineDimExpr
from xdsl.utils.disjoint_set import DisjointSet

from rammer_ir.dialects.rop import GenericOp

T = TypeVar("T")

Link = tuple[int, int]
"""A loop of a writer and the loop of a reader that correspond."""

Loop = tuple[int, int]
"""The number of a generic, and one of its loops."""


def links(reader: GenericOp) -> Iterator[tuple[GenericOp, Link]]:
    """
    Generics whose results another generic reads, with the loops of both that correspond.

    Loops correspond where one generic writes and the other reads the same dimension of a local tensor by plain loops.
    """
    for value, read_map in zip(reader.inputs, reader.input_maps, strict=True):
        if not isinstance(value, OpResult) or not isinstance(value.op, GenericOp):
            continue
        written = value.op.output_maps[value.index].data.results
        for source, read in zip(written, read_map.data.results, strict=True):
            if isinstance(source, AffineDimExpr) and isinstance(read, AffineDimExpr):
                yield value.op, (source.position, read.position)


def corresponding_loops(generics: Sequence[GenericOp], target: GenericOp, loops: Sequence[T], missing: T) -> list[T]:
    """
    What corresponds, in the loops of another generic, to something for each loop of the first.

    Generics that do not read the first one's results correspond to it by those that read what both give.
    """
    numbers = {generic: number for number, generic in enumerate(generics)}
    sets = DisjointSet[Loop](
        [(number, dim) for generic, number in numbers.items() for dim in range(len(generic.bounds))]
    )
    for reader, number in numbers.items():
        for writer, (source, read) in links(reader):
            sets.union((numbers[writer], source), (number, read))
    of_first = {sets.find((0, dim)): item for dim, item in enumerate(loops)}
    return [of_first.get(sets.find((numbers[target], dim)), missing) for dim in range(len(target.bounds))]


def loops_of_root(generics: Sequence[GenericOp], target: GenericOp) -> dict[int, int]:
    """The loops of the last generic that correspond to loops of an earlier one, with those."""
    known: dict[GenericOp, dict[int, int]] = {generic: {} for generic in generics}
    known[generics[-1]] = {dim: dim for dim in range(len(generics[-1].bounds))}
    for reader in reversed(generics):
        for writer, (source, read) in links(reader):
            known[writer].update({root: source for root, dim in known[reader].items() if dim == read})
    return known[target]
