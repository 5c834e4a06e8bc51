"""
The task dimensions of an rOperator: loop dimensions along which all of its generics can be cut together.

Two loop dimensions of different generics correspond if one writes and the other reads the same dimension of a tensor
between them, each by its plain index. A set of corresponding dimensions is a task dimension if every generic of the
operator has exactly one of them, and none is reduced or used otherwise in such a tensor: then each task computes, in
every generic, just what its own part of the results needs, and nothing twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xdsl.ir import OpResult
from xdsl.ir.affine import AffineDimExpr, AffineExpr
from xdsl.utils.disjoint_set import DisjointSet

from rammer_ir.dialects.rop import GenericOp, OperatorOp

Loop = tuple[int, int]
"""A loop dimension of an operator: (number of the generic, dimension)."""


@dataclass(frozen=True)
class TaskDimension:
    """Corresponding loop dimensions: `loops[g]` is that of generic number `g`; all have the same extent."""

    loops: tuple[int, ...]
    extent: int


def generics_of(operator: OperatorOp) -> tuple[GenericOp, ...]:
    """The generics of an operator in order; the last one is its root."""
    return tuple(op for op in operator.body.block.ops if isinstance(op, GenericOp))


def task_dimensions(operator: OperatorOp) -> tuple[TaskDimension, ...]:
    """The task dimensions of an operator, in the order of the root's loop dimensions."""
    return shared_dimensions(generics_of(operator))


def shared_dimensions(generics: Sequence[GenericOp]) -> tuple[TaskDimension, ...]:
    """The task dimensions that an operator of these generics has, in the order of the last one's loop dimensions."""
    numbers = {generic: number for number, generic in enumerate(generics)}
    loops = [(number, dim) for number, generic in enumerate(generics) for dim in range(len(generic.bounds))]
    sets = DisjointSet[Loop](loops)
    blocked = set(_reduced_loops(generics))
    for number, generic in enumerate(generics):
        for value, read_map in zip(generic.inputs, generic.input_maps, strict=True):
            if not isinstance(value, OpResult) or not isinstance(value.op, GenericOp) or value.op not in numbers:
                continue
            producer = numbers[value.op]
            write_map = value.op.output_maps[value.index]
            for written, read in zip(write_map.data.results, read_map.data.results, strict=True):
                if isinstance(written, AffineDimExpr) and isinstance(read, AffineDimExpr):
                    sets.union_left((producer, written.position), (number, read.position))
                else:
                    blocked.update(_loops(producer, written))
                    blocked.update(_loops(number, read))
    members: dict[Loop, set[Loop]] = {}
    for loop in loops:
        members.setdefault(sets.find(loop), set()).add(loop)
    return tuple(_task_dimensions(generics, list(members.values()), blocked))


def _reduced_loops(generics: Sequence[GenericOp]) -> Iterator[Loop]:
    for number, generic in enumerate(generics):
        for result in range(len(generic.res)):
            yield from ((number, dim) for dim in generic.reduction_dims(result))


def _loops(generic: int, expression: AffineExpr) -> Iterator[Loop]:
    return ((generic, dim) for dim in expression.used_dims())


def _task_dimensions(
    generics: Sequence[GenericOp], sets: list[set[Loop]], blocked: set[Loop]
) -> Iterator[TaskDimension]:
    found: list[TaskDimension] = []
    for members in sets:
        loops = dict(members)
        if len(members) != len(generics) or len(loops) != len(generics) or members & blocked:
            continue
        extents = {generics[number].bounds[dim] for number, dim in loops.items()}
        if len(extents) == 1:
            found.append(TaskDimension(tuple(loops[number] for number in range(len(generics))), extents.pop()))
    return iter(sorted(found, key=lambda dimension: dimension.loops[-1]))
