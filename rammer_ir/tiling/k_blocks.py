"""The order of K in a packed weight: blocks of rows, which with channels have one tap of a stencil each."""

from collections.abc import Sequence

from xdsl.ir.affine import AffineExpr


def block_of_k(
    k: Sequence[AffineExpr], extents: Sequence[int], block_k: int, *, channels: bool
) -> tuple[AffineExpr, AffineExpr]:
    """The block, and the row in it, of an index of the reduced loops (outermost first, with channels those last)."""
    if not channels:
        linear = _linear(k, extents)
        return linear // block_k, linear % block_k
    tap = _linear(k[:-1], extents[:-1])
    return tap * blocks_of_a_tap(extents, block_k) + k[-1] // block_k, k[-1] % block_k


def k_of_row(
    block: AffineExpr, row: AffineExpr, extents: Sequence[int], block_k: int, *, channels: bool
) -> list[AffineExpr]:
    """
    The index of the reduced loops that a row of a block stands for: the reverse of `block_of_k`.

    Rows of padding are out of range: of the last loop with channels, of the first otherwise.
    """
    if not channels:
        return _digits(block * block_k + row, extents)
    blocks = blocks_of_a_tap(extents, block_k)
    return [*_digits(block // blocks, extents[:-1]), (block % blocks) * block_k + row]


def blocks_of_a_tap(extents: Sequence[int], block_k: int) -> int:
    """Blocks that the channels of one tap take."""
    return -(-extents[-1] // block_k)


def _linear(indices: Sequence[AffineExpr], extents: Sequence[int]) -> AffineExpr:
    total = AffineExpr.constant(0)
    for index, extent in zip(indices, extents, strict=True):
        total = total * extent + index
    return total


def _digits(linear: AffineExpr, extents: Sequence[int]) -> list[AffineExpr]:
    """The row-major index of `linear`; the first digit is not reduced by its own extent."""
    digits: list[AffineExpr] = []
    for extent in reversed(extents[1:]):
        digits.append(linear % extent)
        linear = linear // extent
    return [linear, *reversed(digits)] if extents else []
