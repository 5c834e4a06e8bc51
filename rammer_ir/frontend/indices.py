"""Index maps of imported ops: which element of an input goes with an index of the loops."""

from collections.abc import Sequence
from math import prod

from xdsl.ir.affine import AffineExpr


def loop_dims(count: int, start: int = 0) -> tuple[AffineExpr, ...]:
    """Loop dimensions `start` to `start + count - 1`."""
    return tuple(AffineExpr.dimension(start + position) for position in range(count))


def broadcast_indices(
    shape: Sequence[int], result_shape: Sequence[int], result_dims: Sequence[AffineExpr]
) -> tuple[AffineExpr, ...]:
    """Where an operand of `shape` is read for an index of a result that it is broadcast to, by NumPy's rule."""
    missing = len(result_shape) - len(shape)
    return tuple(
        dim if extent == result_extent else AffineExpr.constant(0)
        for extent, result_extent, dim in zip(shape, result_shape[missing:], result_dims[missing:], strict=True)
    )


def reshape_indices(
    shape: Sequence[int], result_shape: Sequence[int], result_dims: Sequence[AffineExpr]
) -> tuple[AffineExpr, ...]:
    """
    Where a tensor of `shape` is read for an index of its reshaped result (row-major, as many elements, none is empty).

    Runs of dimensions whose products agree are taken apart, so that dimensions that a reshape keeps stay plain.
    """
    indices: list[AffineExpr] = []
    for source, result in _matching_runs(shape, result_shape):
        indices += _run_indices(
            [shape[dim] for dim in source],
            [result_shape[dim] for dim in result],
            [result_dims[dim] for dim in result],
        )
    return tuple(indices)


def _matching_runs(shape: Sequence[int], result_shape: Sequence[int]) -> list[tuple[range, range]]:
    """The shortest runs of dimensions of both shapes that hold the same number of elements."""
    runs: list[tuple[range, range]] = []
    source_end = result_end = 0
    while source_end < len(shape) or result_end < len(result_shape):
        source_start, result_start = source_end, result_end
        source_end = min(source_end + 1, len(shape))
        result_end = min(result_end + 1, len(result_shape))
        while (gap := prod(shape[source_start:source_end]) - prod(result_shape[result_start:result_end])) != 0:
            if gap < 0:
                source_end += 1
            else:
                result_end += 1
        runs.append((range(source_start, source_end), range(result_start, result_end)))
    return runs


def _run_indices(extents: Sequence[int], result_extents: Sequence[int], dims: Sequence[AffineExpr]) -> list[AffineExpr]:
    kept = [(extent, dim) for extent, dim in zip(result_extents, dims, strict=True) if extent != 1]
    if [extent for extent in extents if extent != 1] == [extent for extent, _ in kept]:
        plain = iter(dim for _, dim in kept)
        return [AffineExpr.constant(0) if extent == 1 else next(plain) for extent in extents]
    return delinearized(linearized(dims, result_extents), extents)


def linearized(indices: Sequence[AffineExpr], extents: Sequence[int]) -> AffineExpr:
    """The row-major position of an index; dimensions of one element are left out."""
    position = AffineExpr.constant(0)
    stride = prod(extents)
    for index, extent in zip(indices, extents, strict=True):
        stride //= extent
        if extent != 1:
            position = position + index * stride
    return position


def delinearized(position: AffineExpr, extents: Sequence[int]) -> list[AffineExpr]:
    """The index at a row-major position; the position must be less than the product of the extents."""
    indices: list[AffineExpr] = []
    stride = remaining = prod(extents)
    for extent in extents:
        stride //= extent
        if extent == 1:
            indices.append(AffineExpr.constant(0))
            continue
        quotient = position if stride == 1 else position // stride
        indices.append(quotient if extent * stride == remaining else quotient % extent)
    return indices
