"""In which order one thread runs the loops of a generic: neighbours in memory follow one another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute
from xdsl.ir.affine import AffineMap

from rammer_ir.dialects.rop import GenericOp
from rammer_ir.indexing.linear import LinearForm, linear_form
from rammer_ir.indexing.simplify import linearize
from rammer_ir.lowering.bodies.kernel_view import KernelView

FEWEST = 8
"""A loop with fewer iterations is not worth to be computed in vectors."""


@dataclass(frozen=True)
class SerialLoops:
    """
    The loops for results of a generic, outermost first: those that are kept, and those that are reduced.

    With `reduces_vectors` the innermost loop is a reduced one, else a kept one: the one along which most of what is
    read and written are neighbours. Loops of one iteration are left out.
    """

    kept: tuple[int, ...]
    reduced: tuple[int, ...]
    reduces_vectors: bool

    @classmethod
    def of(cls, view: KernelView, generic: GenericOp, results: Sequence[int]) -> "SerialLoops":
        """The loops for results, by number, that are reduced over the same loops."""
        reduced = generic.reduction_dims(results[0])
        written = [
            _form(view, generic, generic.output_maps[number].data, generic.res[number].type) for number in results
        ]
        read = list(_forms_read(view, generic))
        loops = [dim for dim, bound in enumerate(generic.bounds) if bound > 1]

        def preference(dim: int) -> tuple[bool, int, int]:
            forms = read if dim in reduced else [*read, *written]
            return generic.bounds[dim] >= FEWEST, sum(_worth(form, dim) for form in forms), dim

        strides = {} if written[0] is None else written[0].dims
        kept = sorted((dim for dim in loops if dim not in reduced), key=lambda dim: -strides.get(dim, 0))
        rest = [dim for dim in loops if dim in reduced]
        best_kept = max(kept, key=preference, default=None)
        best_rest = max(rest, key=preference, default=None)
        if best_rest is not None and (best_kept is None or preference(best_rest)[:2] > preference(best_kept)[:2]):
            return cls(tuple(kept), _with_last(rest, best_rest), reduces_vectors=True)
        return cls(_with_last(kept, best_kept), tuple(rest), reduces_vectors=False)


def _with_last(dims: Sequence[int], last: int | None) -> tuple[int, ...]:
    return (*(dim for dim in dims if dim != last), *(() if last is None else (last,)))


def _forms_read(view: KernelView, generic: GenericOp) -> Iterator[LinearForm | None]:
    for value, map_attr in zip(generic.inputs, generic.input_maps, strict=True):
        yield _form(view, generic, map_attr.data, value.type)


def _form(view: KernelView, generic: GenericOp, affine_map: AffineMap, tensor: Attribute) -> LinearForm | None:
    shape = cast("TensorType[Attribute]", tensor).get_shape()
    return linear_form(linearize(affine_map, shape, *view.ranges(generic)).results[0])


def _worth(form: LinearForm | None, dim: int) -> int:
    """Of a loop for an access: neighbours are better than one element for all, that is better than gaps."""
    stride = None if form is None else form.dims.get(dim, 0)
    return 1 if stride == 1 else 0 if stride == 0 else -1
