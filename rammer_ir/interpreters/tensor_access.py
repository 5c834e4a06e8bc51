"""Reading and writing tensors at the indices that an affine map gives for a box of loop indices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
    AffineSymExpr,
)

from rammer_ir.errors import RammerError
from rammer_ir.interpreters.element_types import Array


def evaluate_map(index_map: AffineMap, dims: Sequence[Array], symbols: Sequence[int | Array]) -> tuple[Array, ...]:
    """The results of a map for arrays of dimensions and symbols, which broadcast; a constant has rank 0."""
    results = index_map.eval(cast("Sequence[int]", dims), cast("Sequence[int]", symbols))
    return tuple(np.asarray(result) for result in results)


@dataclass(frozen=True)
class IndexBox:
    """A box of loop indices: from `starts` up to `stops`, which are not in it."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]

    @property
    def extents(self) -> tuple[int, ...]:
        return tuple(stop - start for start, stop in zip(self.starts, self.stops, strict=True))

    def indices(self) -> list[Array]:
        """For every axis its indices, along that axis of an array of the box's rank."""
        rank = len(self.starts)
        return [
            np.arange(start, stop).reshape([-1 if other == axis else 1 for other in range(rank)])
            for axis, (start, stop) in enumerate(zip(self.starts, self.stops, strict=True))
        ]


@dataclass(frozen=True)
class Access:
    """
    Where a tensor is read or written: an affine map of loop indices and symbols.

    `symbols` holds an array of values along axis 0 for every symbol of the map.
    """

    index_map: AffineMap
    symbols: tuple[Array, ...] = ()

    @property
    def axes(self) -> frozenset[int]:
        """Axes that the index depends on."""
        used = {dim for result in self.index_map.results for dim in result.used_dims()}
        return frozenset(used | {0} if self._uses_symbols else used)

    @property
    def _uses_symbols(self) -> bool:
        return any(isinstance(part, AffineSymExpr) for result in self.index_map.results for part in result.dfs())

    def index(self, box: IndexBox) -> tuple[Array, ...]:
        """The index in every dimension of the tensor, each an array of the box's rank that broadcasts to the box."""
        rank = len(box.starts)
        symbols = [values[box.starts[0] : box.stops[0]].reshape([-1] + [1] * (rank - 1)) for values in self.symbols]
        results = evaluate_map(self.index_map, box.indices(), symbols)
        return tuple(values if values.ndim else values.reshape([1] * rank) for values in results)

    def view(self, tensor: Array, box: IndexBox) -> Array | None:
        """
        What the map reads from the tensor as a view of the box's rank, 1 on axes that the map does not use.

        None if the map is not a selection and permutation of dimensions by slices within the tensor.
        """
        slices: list[slice] = []
        axes: list[int | None] = []
        for result, extent in zip(self.index_map.results, tensor.shape, strict=True):
            term = _linear_term(result)
            if term is None or (term.axis is not None and term.axis in axes):
                return None
            selected = term.selection(box)
            if selected.start < 0 or selected.stop > extent:
                return None
            slices.append(selected)
            axes.append(term.axis)
        kept = sorted(axis for axis in axes if axis is not None)
        dropped = tuple(position for position, axis in enumerate(axes) if axis is None)
        present = [axis for axis in axes if axis is not None]
        selected_part = tensor[(..., *slices)].squeeze(dropped)
        ordered = selected_part.transpose([present.index(axis) for axis in kept])
        return np.expand_dims(ordered, [axis for axis in range(len(box.starts)) if axis not in kept])


class _Term(NamedTuple):
    """`axis * step + offset`, or `offset` alone."""

    axis: int | None
    step: int
    offset: int

    def selection(self, box: IndexBox) -> slice:
        if self.axis is None:
            return slice(self.offset, self.offset + 1)
        first = box.starts[self.axis] * self.step + self.offset
        return slice(first, (box.stops[self.axis] - 1) * self.step + self.offset + 1, self.step)


def _linear_term(expression: AffineExpr) -> _Term | None:
    match expression:
        case AffineConstantExpr(value):
            return _Term(None, 1, value)
        case AffineDimExpr(position):
            return _Term(position, 1, 0)
        case AffineBinaryOpExpr(AffineBinaryOpKind.Mul, AffineDimExpr(position), AffineConstantExpr(step)) if step > 0:
            return _Term(position, step, 0)
        case AffineBinaryOpExpr(AffineBinaryOpKind.Add, rest, AffineConstantExpr(offset)):
            term = _linear_term(rest)
            return None if term is None else _Term(term.axis, term.step, term.offset + offset)
        case _:
            return None


def in_range(index: Sequence[Array], shape: Sequence[int]) -> Array | None:
    """Where an index lies within a tensor, broadcasting like the index; None if everywhere."""
    valid: Array | None = None
    for values, extent in zip(index, shape, strict=True):
        inside = (values >= 0) & (values < extent)
        if not inside.all():
            valid = inside if valid is None else valid & inside
    return valid


def read(tensor: Array, access: Access, box: IndexBox, pad: Array | None) -> Array:
    """
    The elements that an access reads over a box, as an array of the box's rank that broadcasts to the box.

    Out of range, it reads `pad`; raises RammerError if there is none.
    """
    view = access.view(tensor, box)
    if view is not None:
        return view
    index = access.index(box)
    if not index:
        return tensor.reshape([1] * len(box.starts))
    valid = in_range(index, tensor.shape)
    if valid is None:
        return np.asarray(tensor[index])
    if pad is None:
        raise RammerError(f"a read by {access.index_map} leaves a tensor of shape {list(tensor.shape)} and has no pad")
    if tensor.size == 0:
        return np.broadcast_to(pad, np.broadcast_shapes(*(values.shape for values in index)))
    clipped = tuple(np.clip(values, 0, extent - 1) for values, extent in zip(index, tensor.shape, strict=True))
    return np.where(valid, tensor[clipped], pad)


def extract_clamped(tensor: Array, index: Sequence[Array]) -> Array:
    """The elements at an index, each part an array; what is out of range reads the nearest element."""
    parts = zip(index, tensor.shape, strict=True)
    return np.asarray(tensor[tuple(np.clip(values, 0, extent - 1) for values, extent in parts)])
