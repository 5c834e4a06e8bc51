"""The loops of a kernel's generics, with those that count the same thing as one class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import UnitAttr
from xdsl.ir import OpResult
from xdsl.ir.affine import AffineDimExpr, AffineExpr
from xdsl.utils.disjoint_set import DisjointSet

from rammer_ir.dialects.rop import GenericOp

Loop = tuple[int, int]
"""A loop of a kernel: (number of the generic, loop dimension)."""


@dataclass(frozen=True)
class LoopClasses:
    """
    Classes of loops: `of[g][d]` is the class of loop `d` of generic number `g`, `extents` has their lengths.

    Local tensors are read where they are written: at the same index of every class they have. `inner` are the classes
    that some generic reduces, in the order of its loops; `kept` are all others, in the order of the last generic's.
    """

    of: tuple[tuple[int, ...], ...]
    extents: tuple[int, ...]
    kept: tuple[int, ...]
    inner: tuple[int, ...]

    def inner_of(self, generic: int) -> tuple[int, ...]:
        """The inner classes of a generic that have more than one index."""
        return tuple(number for number in self.inner if number in self.of[generic] and self.extents[number] > 1)


def loop_classes(generics: Sequence[GenericOp]) -> LoopClasses | None:
    """
    The classes of a kernel whose generics can be computed together, point by point; None where they cannot.

    They cannot where a local tensor is read elsewhere than it is written, where results of a generic are reduced over
    different loops, and where a reduction would be computed again for several points of the last generic.
    """
    sets = DisjointSet[Loop]([(number, dim) for number, op in enumerate(generics) for dim in range(len(op.bounds))])
    for number, generic in enumerate(generics):
        if len({generic.reduction_dims(result) for result in range(len(generic.res))}) > 1:
            return None
        if not _connect(sets, generics, number, generic):
            return None
    return _numbered(generics, sets)


def _connect(sets: DisjointSet[Loop], generics: Sequence[GenericOp], number: int, generic: GenericOp) -> bool:
    """Join the loops by which a generic reads local tensors with those by which they are written, if all are plain."""
    for value, read_map, pad in zip(generic.inputs, generic.input_maps, generic.pads, strict=True):
        if not isinstance(value, OpResult) or not isinstance(value.op, GenericOp):
            continue
        if not isinstance(pad, UnitAttr):
            return False
        writer = generics.index(value.op)
        written = value.op.output_maps[value.index].data.results
        for target, source in zip(written, read_map.data.results, strict=True):
            if isinstance(target, AffineDimExpr) and isinstance(source, AffineDimExpr):
                sets.union_left((writer, target.position), (number, source.position))
            elif _can_vary(value.op, target) or _can_vary(generic, source):
                return False
    return True


def _can_vary(generic: GenericOp, expression: AffineExpr) -> bool:
    return any(generic.bounds[dim] > 1 for dim in expression.used_dims())


def _numbered(generics: Sequence[GenericOp], sets: DisjointSet[Loop]) -> LoopClasses | None:
    numbers: dict[Loop, int] = {}
    extents: list[int] = []
    for number, dim in _root_first(generics):
        representative = sets.find((number, dim))
        bound = generics[number].bounds[dim]
        if representative not in numbers:
            numbers[representative] = len(extents)
            extents.append(bound)
        if extents[numbers[representative]] != bound:
            return None
    of = tuple(
        tuple(numbers[sets.find((number, dim))] for dim in range(len(op.bounds))) for number, op in enumerate(generics)
    )
    of = _with_common_rows(generics, of, extents)
    reduced = [of[number][dim] for number, op in enumerate(generics) for dim in op.reduction_dims()]
    inner = tuple(dict.fromkeys(reduced))
    kept = tuple(sorted({number for numbers in of for number in numbers} - set(inner)))
    classes = LoopClasses(of, tuple(extents), kept, inner)
    return classes if _computes_nothing_twice(generics, classes) else None


def _with_common_rows(
    generics: Sequence[GenericOp], of: tuple[tuple[int, ...], ...], extents: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """
    The classes, where loops that only one generic reduces count as those of the rows that others work on.

    The order of a reduction is free, so any loops of the same extents will do: what both read is then read once.
    """
    reduced = [tuple(of[number][dim] for dim in op.reduction_dims()) for number, op in enumerate(generics)]
    shared = [numbers for numbers in reduced if numbers and sum(set(numbers) <= set(each) for each in of) > 1]
    rows = next(iter([*shared, *(numbers for numbers in reduced if numbers)]), ())
    changed: list[tuple[int, ...]] = []
    for numbers, own in zip(of, reduced, strict=True):
        renamed = dict(zip(own, rows, strict=False))
        fits = [extents[number] for number in own] == [extents[number] for number in rows]
        is_private = not set(own) & set(rows) and sum(bool(set(own) & set(each)) for each in of) == 1
        changed.append(tuple(renamed.get(number, number) for number in numbers) if fits and is_private else numbers)
    return tuple(changed)


def _root_first(generics: Sequence[GenericOp]) -> Iterator[Loop]:
    for number in (len(generics) - 1, *range(len(generics) - 1)):
        yield from ((number, dim) for dim in range(len(generics[number].bounds)))


def _computes_nothing_twice(generics: Sequence[GenericOp], classes: LoopClasses) -> bool:
    root = set(classes.of[-1])
    for generic, numbers in zip(generics, classes.of, strict=True):
        if len(set(numbers)) != len(numbers):
            return False
        if any(number not in root for number in numbers if number in classes.kept and classes.extents[number] > 1):
            return False
        missing = [number for number in classes.kept if number not in numbers and classes.extents[number] > 1]
        if generic.reduction_dims() and missing:
            return False
    return True
